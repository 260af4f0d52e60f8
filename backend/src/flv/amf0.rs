//! AMF0 (Adobe's AMF 0 specification), read with bounds: values nest no deeper than [`MAX_DEPTH`] and are
//! no more than [`MAX_VALUES`], and nothing is allocated because a length was claimed.

use bytes::{BufMut, BytesMut};

/// How deep objects and arrays may nest. Encoders need two.
pub const MAX_DEPTH: usize = 16;
/// Most values in one message, nested ones counted. Encoders need fifty.
pub const MAX_VALUES: usize = 1_024;

/// Type markers (section 2.1).
mod marker {
    pub(super) const NUMBER: u8 = 0;
    pub(super) const BOOLEAN: u8 = 1;
    pub(super) const STRING: u8 = 2;
    pub(super) const OBJECT: u8 = 3;
    pub(super) const NULL: u8 = 5;
    pub(super) const UNDEFINED: u8 = 6;
    pub(super) const REFERENCE: u8 = 7;
    pub(super) const ECMA_ARRAY: u8 = 8;
    pub(super) const OBJECT_END: u8 = 9;
    pub(super) const STRICT_ARRAY: u8 = 10;
    pub(super) const DATE: u8 = 11;
    pub(super) const LONG_STRING: u8 = 12;
    pub(super) const UNSUPPORTED: u8 = 13;
    pub(super) const XML_DOCUMENT: u8 = 15;
    pub(super) const TYPED_OBJECT: u8 = 16;
}

/// A value. Names of members may occur twice, as they may on the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number; dates are read as one, in ms.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// Text; what is not UTF-8 was replaced.
    String(String),
    /// Named values.
    Object(Vec<(String, Value)>),
    /// Named values again, as metadata is written.
    EcmaArray(Vec<(String, Value)>),
    /// Values in order.
    StrictArray(Vec<Value>),
    /// Nothing.
    Null,
    /// Nothing, or something that AMF0 cannot say.
    Undefined,
}

/// Bytes that are not AMF0, or too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// They end within a value.
    #[error("an AMF0 value ends early")]
    Truncated,
    /// See [`MAX_DEPTH`].
    #[error("AMF0 values nest deeper than {MAX_DEPTH}")]
    TooDeep,
    /// See [`MAX_VALUES`].
    #[error("a message has more than {MAX_VALUES} AMF0 values")]
    TooMany,
    /// A marker that is reserved, or AMF3's.
    #[error("{0} is not a type of AMF0 value")]
    Marker(u8),
}

impl Value {
    /// The number, if it is one.
    #[must_use]
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object or ECMA array; empty for everything else.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) | Self::EcmaArray(members) => members,
            _ => &[],
        }
    }

    /// The first member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let member = self.members().iter().find(|(known, _)| known == name);
        member.map(|(_, value)| value)
    }

    /// Appends the value as AMF0.
    pub fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Number(number) => {
                out.put_u8(marker::NUMBER);
                out.put_f64(*number);
            }
            Self::Boolean(boolean) => {
                out.put_u8(marker::BOOLEAN);
                out.put_u8(u8::from(*boolean));
            }
            Self::String(text) => put_string(out, text),
            Self::Object(members) => {
                out.put_u8(marker::OBJECT);
                put_members(out, members);
            }
            Self::EcmaArray(members) => {
                out.put_u8(marker::ECMA_ARRAY);
                out.put_u32(count(members.len()));
                put_members(out, members);
            }
            Self::StrictArray(values) => {
                out.put_u8(marker::STRICT_ARRAY);
                out.put_u32(count(values.len()));
                for value in values {
                    value.put(out);
                }
            }
            Self::Null => out.put_u8(marker::NULL),
            Self::Undefined => out.put_u8(marker::UNDEFINED),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

/// An object of these members.
#[must_use]
pub fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(named(members))
}

/// Members of an object.
pub(crate) fn named<const N: usize>(members: [(&str, Value); N]) -> Vec<(String, Value)> {
    let named = members.into_iter();
    named
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn put_string(out: &mut BytesMut, text: &str) {
    if let Ok(length) = u16::try_from(text.len()) {
        out.put_u8(marker::STRING);
        out.put_u16(length);
    } else {
        out.put_u8(marker::LONG_STRING);
        out.put_u32(count(text.len()));
    }
    out.put_slice(text.as_bytes());
}

fn put_members(out: &mut BytesMut, members: &[(String, Value)]) {
    for (name, value) in members {
        // Names are ours, and short.
        out.put_u16(u16::try_from(name.len()).unwrap_or(0));
        out.put_slice(name.as_bytes());
        value.put(out);
    }
    out.put_slice(&[0, 0, marker::OBJECT_END]);
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Reads all values that `bytes` consist of.
///
/// # Errors
/// [`AmfError`].
pub fn read(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
    let mut reader = Reader {
        rest: bytes,
        values: 0,
    };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

struct Reader<'a> {
    rest: &'a [u8],
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        if depth > MAX_DEPTH {
            return Err(AmfError::TooDeep);
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(AmfError::TooMany);
        }
        let [marker] = self.take()?;
        Ok(match marker {
            marker::NUMBER => Value::Number(f64::from_be_bytes(self.take()?)),
            marker::BOOLEAN => Value::Boolean(self.take::<1>()? != [0]),
            marker::STRING => Value::String(self.short_text()?),
            marker::LONG_STRING | marker::XML_DOCUMENT => {
                let length = u32::from_be_bytes(self.take()?);
                Value::String(self.text(length as usize)?)
            }
            marker::OBJECT => Value::Object(self.members(depth)?),
            marker::TYPED_OBJECT => {
                self.short_text()?;
                Value::Object(self.members(depth)?)
            }
            marker::ECMA_ARRAY => {
                // The count is a hint; the members end as an object's do.
                self.take::<4>()?;
                Value::EcmaArray(self.members(depth)?)
            }
            marker::STRICT_ARRAY => {
                let mut values = Vec::new();
                for _ in 0..u32::from_be_bytes(self.take()?) {
                    values.push(self.value(depth + 1)?);
                }
                Value::StrictArray(values)
            }
            marker::DATE => {
                let ms = f64::from_be_bytes(self.take()?);
                self.take::<2>()?;
                Value::Number(ms)
            }
            marker::NULL => Value::Null,
            marker::UNDEFINED | marker::UNSUPPORTED => Value::Undefined,
            marker::REFERENCE => {
                self.take::<2>()?;
                Value::Undefined
            }
            other => return Err(AmfError::Marker(other)),
        })
    }

    fn members(&mut self, depth: usize) -> Result<Vec<(String, Value)>, AmfError> {
        let mut members = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(&[0, 0, marker::OBJECT_END]) {
                self.rest = rest;
                return Ok(members);
            }
            let name = self.short_text()?;
            members.push((name, self.value(depth + 1)?));
        }
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let length = u16::from_be_bytes(self.take()?);
        self.text(length.into())
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        let (text, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(AmfError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(values: &[Value]) -> BytesMut {
        let mut out = BytesMut::new();
        for value in values {
            value.put(&mut out);
        }
        out
    }

    #[test]
    fn what_is_written_is_read_again() {
        let values = [
            Value::from("connect"),
            Value::from(1.0),
            object([
                ("app", "live".into()),
                ("fpad", false.into()),
                ("none", Value::Null),
            ]),
            Value::EcmaArray(named([
                ("width", 1280.0.into()),
                ("gone", Value::Undefined),
            ])),
            Value::StrictArray(vec!["avc1".into(), "mp4a".into()]),
            Value::String("x".repeat(70_000)),
        ];
        assert_eq!(read(&written(&values)).unwrap(), values);
    }

    #[test]
    fn another_implementation_understands_it() {
        let values = written(&[
            "onStatus".into(),
            object([("code", "NetStream.Play.Start".into())]),
        ]);
        let read = rml_amf0::deserialize(&mut &values[..]).unwrap();
        assert_eq!(
            read[0],
            rml_amf0::Amf0Value::Utf8String("onStatus".to_owned())
        );
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn twenty_thousand_nested_objects_are_refused() {
        // `{"": {"": {…`: four bytes a level.
        let bomb = [3, 0, 1, b'a'].repeat(20_000);
        assert_eq!(read(&bomb), Err(AmfError::TooDeep));
        let arrays = [10, 0, 0, 0, 1].repeat(20_000);
        assert_eq!(read(&arrays), Err(AmfError::TooDeep));
    }

    #[test]
    fn sixteen_levels_are_read() {
        let mut value = Value::Null;
        for _ in 0..MAX_DEPTH {
            value = object([("in", value)]);
        }
        assert!(read(&written(&[value.clone()])).is_ok());
        assert_eq!(
            read(&written(&[object([("in", value)])])),
            Err(AmfError::TooDeep)
        );
    }

    #[test]
    fn a_claimed_count_allocates_nothing() {
        let array = [10, 0xff, 0xff, 0xff, 0xff, 5];
        assert_eq!(read(&array), Err(AmfError::Truncated));
        let many = [&[10, 0xff, 0xff, 0xff, 0xff][..], &[5; 60_000]].concat();
        assert_eq!(read(&many), Err(AmfError::TooMany));
    }

    #[test]
    fn what_ends_early_is_refused_wherever_it_ends() {
        let whole = written(&[object([("app", "live".into()), ("n", 1.0.into())])]);
        for length in 1..whole.len() {
            assert_eq!(
                read(&whole[..length]),
                Err(AmfError::Truncated),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn dates_references_and_typed_objects_are_tolerated() {
        let date = [&[11][..], &1_000_f64.to_be_bytes(), &[0, 0]].concat();
        assert_eq!(read(&date).unwrap(), [Value::Number(1_000.0)]);
        assert_eq!(read(&[7, 0, 1]).unwrap(), [Value::Undefined]);
        let typed = [16, 0, 1, b'T', 0, 1, b'a', 5, 0, 0, 9];
        assert_eq!(read(&typed).unwrap(), [object([("a", Value::Null)])]);
    }

    #[test]
    fn amf3_is_refused_by_its_marker() {
        assert_eq!(read(&[17, 4, 1]), Err(AmfError::Marker(17)));
    }
}
