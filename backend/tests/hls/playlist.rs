//! A playlist, read just far enough to check it.

/// A line of a media playlist that says something of media.
#[derive(Debug, Default)]
pub(crate) struct Media {
    pub(crate) target: f64,
    pub(crate) part_target: f64,
    pub(crate) hold_back: f64,
    pub(crate) sequence: u64,
    /// Durations of complete segments.
    pub(crate) segments: Vec<(f64, String)>,
    pub(crate) parts: Vec<(f64, String, bool)>,
    pub(crate) discontinuities: usize,
    pub(crate) hint: Option<String>,
    pub(crate) map: Option<String>,
    pub(crate) skipped: usize,
    pub(crate) ended: bool,
}

/// The value of an attribute.
pub(crate) fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let from = line.find(&format!("{name}="))? + name.len() + 1;
    let rest = line.get(from..)?;
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(',').next(),
    }
}

impl Media {
    pub(crate) fn read(text: &str) -> Self {
        let mut media = Self::default();
        let mut duration = 0.0;
        let number =
            |text: Option<&str>| text.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
        for line in text.lines() {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => media.target = number(Some(value)),
                "#EXT-X-PART-INF" => media.part_target = number(attribute(value, "PART-TARGET")),
                "#EXT-X-SERVER-CONTROL" => {
                    media.hold_back = number(attribute(value, "PART-HOLD-BACK"));
                }
                "#EXT-X-MEDIA-SEQUENCE" => media.sequence = value.parse().unwrap(),
                "#EXT-X-DISCONTINUITY" => media.discontinuities += 1,
                "#EXT-X-MAP" => media.map = attribute(value, "URI").map(str::to_owned),
                "#EXT-X-SKIP" => {
                    media.skipped = number(attribute(value, "SKIPPED-SEGMENTS")) as usize;
                }
                "#EXTINF" => duration = number(value.split(',').next()),
                "#EXT-X-PART" => media.parts.push((
                    number(attribute(value, "DURATION")),
                    attribute(value, "URI").unwrap().to_owned(),
                    value.contains("INDEPENDENT=YES"),
                )),
                "#EXT-X-PRELOAD-HINT" => media.hint = attribute(value, "URI").map(str::to_owned),
                "#EXT-X-ENDLIST" => media.ended = true,
                _ if line.starts_with('#') || line.is_empty() => {}
                _ => media.segments.push((duration, line.to_owned())),
            }
        }
        media
    }

    /// The number of the segment that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.sequence + (self.skipped + self.segments.len()) as u64
    }
}
