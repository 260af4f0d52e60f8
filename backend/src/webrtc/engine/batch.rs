//! Packets on their way to viewers, one behind the other in a buffer that all viewers share in turn.

/// Packets of one burst for one viewer, or for some.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    lengths: Vec<usize>,
    appended: Appended,
}

/// A place between two packets of a [`Batch`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    bytes: usize,
    packets: usize,
}

/// Some packets of a [`Batch`]: those of one viewer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parcel<'a> {
    bytes: &'a [u8],
    lengths: &'a [usize],
}

/// What was appended to a [`Batch`], whatever has become of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Appended {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Batch {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
    }

    /// The end of what is there.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            packets: self.lengths.len(),
        }
    }

    /// Takes back what was appended since.
    pub(super) fn take_back(&mut self, since: Mark) {
        self.bytes.truncate(since.bytes);
        self.lengths.truncate(since.packets);
    }

    /// All packets.
    pub(super) fn all(&self) -> Parcel<'_> {
        self.between(Mark::default(), self.mark())
    }

    /// Those between two places.
    pub(super) fn between(&self, from: Mark, to: Mark) -> Parcel<'_> {
        Parcel {
            bytes: self.bytes.get(from.bytes..to.bytes).unwrap_or_default(),
            lengths: self
                .lengths
                .get(from.packets..to.packets)
                .unwrap_or_default(),
        }
    }

    /// Appends a packet that `write` puts behind the others, from the position that it is told.
    ///
    /// # Errors
    /// Those of `write`, which has to take back what it wrote.
    pub(super) fn push<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>, usize) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        write(&mut self.bytes, start)?;
        let length = self.bytes.len() - start;
        self.lengths.push(length);
        self.appended.packets += 1;
        self.appended.bytes += length as u64;
        Ok(())
    }

    /// What was appended since this was last asked.
    pub(super) fn take_appended(&mut self) -> Appended {
        std::mem::take(&mut self.appended)
    }
}

impl<'a> Parcel<'a> {
    pub(super) const fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Packets and bytes.
    pub(super) const fn size(&self) -> (usize, usize) {
        (self.lengths.len(), self.bytes.len())
    }

    /// The packets.
    pub(super) fn packets(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.bytes;
        self.lengths.iter().map_while(move |&length| {
            let (packet, behind) = rest.split_at_checked(length)?;
            rest = behind;
            Some(packet)
        })
    }

    /// The packets in runs that the kernel cuts apart again (`UDP_SEGMENT`): the bytes of a run and the
    /// length of its packets, of which only the last may be shorter. No run has more packets than `most`.
    pub(super) fn runs(self, most: usize) -> impl Iterator<Item = (&'a [u8], usize)> {
        let (mut bytes, mut lengths) = (self.bytes, self.lengths);
        std::iter::from_fn(move || {
            let &segment = lengths.first()?;
            let most = most.min(MAX_RUN / segment.max(1)).max(1);
            let mut count = 0;
            let mut total = 0;
            for &length in lengths.iter().take(most) {
                if length > segment {
                    break;
                }
                count += 1;
                total += length;
                if length < segment {
                    break;
                }
            }
            let (run, behind) = bytes.split_at_checked(total)?;
            (bytes, lengths) = (behind, &lengths[count..]);
            Some((run, segment))
        })
    }
}

/// Bytes that fit into one send: the largest UDP payload.
const MAX_RUN: usize = 65_507;

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lengths: &[usize]) -> Batch {
        let mut batch = Batch::default();
        for (number, &length) in (0..).zip(lengths) {
            let pushed: Result<(), ()> = batch.push(|bytes, start| {
                bytes.resize(start + length, number);
                Ok(())
            });
            pushed.unwrap();
        }
        batch
    }

    fn runs(lengths: &[usize], most: usize) -> Vec<(usize, usize)> {
        let batch = batch(lengths);
        let runs = batch.all().runs(most);
        runs.map(|(bytes, segment)| (bytes.len(), segment))
            .collect()
    }

    #[test]
    fn packets_of_one_size_are_one_run_and_the_last_may_be_shorter() {
        assert_eq!(runs(&[10, 10, 10], 64), [(30, 10)]);
        assert_eq!(runs(&[10, 10, 7], 64), [(27, 10)]);
    }

    #[test]
    fn a_run_ends_where_a_packet_is_longer_or_the_one_before_was_shorter() {
        assert_eq!(runs(&[5, 10, 10, 7, 7], 64), [(5, 5), (27, 10), (7, 7)]);
    }

    #[test]
    fn a_run_is_never_more_than_the_kernel_takes() {
        assert_eq!(runs(&[10; 5], 2), [(20, 10), (20, 10), (10, 10)]);
        assert_eq!(runs(&[10; 2], 0), [(10, 10), (10, 10)]);
        assert!(
            runs(&[1_200; 100], 1_000)
                .iter()
                .all(|run| run.0 <= MAX_RUN)
        );
    }

    #[test]
    fn what_was_appended_is_told_once_however_often_the_batch_is_cleared() {
        let mut batch = batch(&[10, 20]);
        batch.clear();
        let (packets, bytes) = (2, 30);
        assert_eq!(batch.take_appended(), Appended { packets, bytes });
        assert_eq!(batch.take_appended(), Appended::default());
    }

    #[test]
    fn what_is_for_one_viewer_can_be_told_from_the_rest_and_taken_back() {
        let mut batch = batch(&[10, 20]);
        let before = batch.mark();
        let pushed: Result<(), ()> = batch.push(|bytes, start| {
            bytes.resize(start + 5, 9);
            Ok(())
        });
        pushed.unwrap();
        let parcel = batch.between(before, batch.mark());
        assert_eq!(parcel.packets().collect::<Vec<_>>(), [[9; 5]]);
        batch.take_back(before);
        assert_eq!(batch.all().size(), (2, 30));
    }

    #[test]
    fn a_packet_that_fails_leaves_nothing_behind() {
        let mut batch = batch(&[3]);
        assert_eq!(batch.push(|_, _| Err("no")), Err("no"));
        assert_eq!(batch.all().packets().count(), 1);
    }
}
