//! Attributes (`struct nlattr`): reading in place, writing at the end of a buffer.

/// `NLA_F_NESTED`: its value is attributes.
const NESTED: u16 = 0x8000;
/// What remains of a type without its flags (`NLA_TYPE_MASK`).
const TYPE: u16 = 0x3fff;
/// Length of `struct nlattr`.
const HEADER: usize = 4;

/// One attribute, in place.
#[derive(Clone, Copy, Debug)]
pub struct Attr<'a> {
    /// Type, without flags.
    pub kind: u16,
    /// Its value.
    pub value: &'a [u8],
}

impl<'a> Attr<'a> {
    /// The value as a number of one byte; 0 if it is too short, as for the next ones.
    #[must_use]
    pub fn u8(&self) -> u8 {
        self.value.first().copied().unwrap_or(0)
    }

    /// The value as a number of two bytes in this machine's order.
    #[must_use]
    pub fn u16(&self) -> u16 {
        u16_at(self.value, 0)
    }

    /// The value as a number of four bytes in this machine's order.
    #[must_use]
    pub fn u32(&self) -> u32 {
        u32_at(self.value, 0)
    }

    /// The value as a signed number of four bytes in this machine's order.
    #[must_use]
    pub fn i32(&self) -> i32 {
        self.u32().cast_signed()
    }

    /// The value as a number of eight bytes in this machine's order.
    #[must_use]
    pub fn u64(&self) -> u64 {
        self.value.first_chunk().map_or(0, |b| u64::from_ne_bytes(*b))
    }

    /// The value as a number of two bytes in network order.
    #[must_use]
    pub fn be16(&self) -> u16 {
        u16::from_be(self.u16())
    }

    /// The value as a number of four bytes in network order.
    #[must_use]
    pub fn be32(&self) -> u32 {
        u32::from_be(self.u32())
    }

    /// The value as a number of eight bytes in network order.
    #[must_use]
    pub fn be64(&self) -> u64 {
        u64::from_be(self.u64())
    }

    /// The value as text, without its end; empty if it is no UTF-8.
    #[must_use]
    pub fn str(&self) -> &'a str {
        let end = self.value.iter().position(|b| *b == 0).unwrap_or(self.value.len());
        std::str::from_utf8(&self.value[..end]).unwrap_or_default()
    }

    /// The attributes inside.
    pub fn nested(&self) -> impl Iterator<Item = Attr<'a>> + use<'a> {
        iter(self.value)
    }
}

/// The attributes of a buffer; a broken length ends them.
pub fn iter(mut rest: &[u8]) -> impl Iterator<Item = Attr<'_>> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(rest.get(..HEADER)?, 0));
        let value = rest.get(HEADER..len)?;
        let a = Attr { kind: u16_at(rest, 2) & TYPE, value };
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(a)
    })
}

/// The attribute of this type.
#[must_use]
pub fn find(rest: &[u8], kind: u16) -> Option<Attr<'_>> {
    iter(rest).find(|a| a.kind == kind)
}

/// Attributes by type, for messages that are asked for many of theirs; the last of a type counts.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a, const N: usize>([Option<Attr<'a>>; N]);

impl<'a, const N: usize> Table<'a, N> {
    /// Sorts the attributes of a buffer; those of type `N` and beyond are left out.
    #[must_use]
    pub fn new(rest: &'a [u8]) -> Self {
        let mut all = [None; N];
        for a in iter(rest) {
            if let Some(slot) = all.get_mut(usize::from(a.kind)) {
                *slot = Some(a);
            }
        }
        Table(all)
    }

    /// The attribute of this type.
    #[must_use]
    pub fn get(&self, kind: u16) -> Option<Attr<'a>> {
        self.0.get(usize::from(kind)).copied().flatten()
    }
}

/// Two bytes at a place, in this machine's order; 0 beyond the end.
#[must_use]
pub fn u16_at(b: &[u8], at: usize) -> u16 {
    b.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_ne_bytes(*b))
}

/// Four bytes at a place, in this machine's order; 0 beyond the end.
#[must_use]
pub fn u32_at(b: &[u8], at: usize) -> u32 {
    b.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_ne_bytes(*b))
}

/// Writes attributes at the end of a buffer.
pub trait Write {
    /// An attribute of bytes.
    fn put(&mut self, kind: u16, value: &[u8]);

    /// An attribute of a number in this machine's order.
    fn put_u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_ne_bytes());
    }

    /// An attribute of a number in network order.
    fn put_be32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    /// An attribute of text, with its end.
    fn put_str(&mut self, kind: u16, value: &str);

    /// An attribute whose value `inside` writes.
    fn put_nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self));
}

impl Write for Vec<u8> {
    fn put(&mut self, kind: u16, value: &[u8]) {
        let len = u16::try_from(HEADER + value.len()).expect("an attribute is small");
        self.extend(len.to_ne_bytes());
        self.extend(kind.to_ne_bytes());
        self.extend(value);
        self.resize(self.len().next_multiple_of(4), 0);
    }

    fn put_str(&mut self, kind: u16, value: &str) {
        let mut text = value.as_bytes().to_vec();
        text.push(0);
        self.put(kind, &text);
    }

    fn put_nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let start = self.len();
        self.extend([0, 0]);
        self.extend((kind | NESTED).to_ne_bytes());
        inside(self);
        let len = u16::try_from(self.len() - start).expect("an attribute is small");
        self[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    }
}
