//! AMF0 as far as a client has to write it (AMF 0 specification, December 2007).

/// A value to be written.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Section 2.2.
    Number(f64),
    /// Section 2.3.
    Boolean(bool),
    /// Section 2.4; less than 64 KiB.
    Text(&'a str),
    /// Section 2.5.
    Object(&'a [(&'a str, Value<'a>)]),
    /// Section 2.7.
    Null,
}

/// Writes values one after the other, as commands and data messages carry them.
#[must_use]
pub fn encode(values: &[Value<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| put(&mut bytes, value));
    bytes
}

fn put(bytes: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Number(number) => {
            bytes.push(0);
            bytes.extend(number.to_be_bytes());
        }
        Value::Boolean(boolean) => bytes.extend([1, u8::from(*boolean)]),
        Value::Text(text) => {
            bytes.push(2);
            put_text(bytes, text);
        }
        Value::Object(properties) => {
            bytes.push(3);
            for (name, value) in *properties {
                put_text(bytes, name);
                put(bytes, value);
            }
            bytes.extend([0, 0, 9]);
        }
        Value::Null => bytes.push(5),
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend(text.bytes().take(length.into()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_specification_says() {
        let object = [("a", Value::Boolean(true))];
        assert_eq!(
            encode(&[
                Value::Text("hi"),
                Value::Number(1.0),
                Value::Object(&object),
                Value::Null,
            ]),
            [
                &[2, 0, 2, b'h', b'i'][..],
                &[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0],
                &[3, 0, 1, b'a', 1, 1, 0, 0, 9],
                &[5],
            ]
            .concat()
        );
    }
}
