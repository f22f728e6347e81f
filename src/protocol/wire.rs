//! How the types of fields stand on the wire. The `api!` macro composes messages from these.

use std::fmt;
use std::ops::{RangeFrom, RangeInclusive};

use bytes::Bytes;

use crate::base::ids::TopicId;

use super::{DecodeError, ErrorCode, Reader, Writer};

/// Versions of a message, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionRange {
    /// The first version.
    pub min: i16,
    /// The last version.
    pub max: i16,
}

impl VersionRange {
    /// Whether `version` lies in the range.
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The versions in ascending order.
    pub fn iter(self) -> RangeInclusive<i16> {
        self.min..=self.max
    }
}

impl From<RangeFrom<i16>> for VersionRange {
    fn from(range: RangeFrom<i16>) -> Self {
        VersionRange { min: range.start, max: i16::MAX }
    }
}

impl From<RangeInclusive<i16>> for VersionRange {
    fn from(range: RangeInclusive<i16>) -> Self {
        VersionRange { min: *range.start(), max: *range.end() }
    }
}

/// In which versions a field exists, and how. Built by `field!`, folded away by the compiler.
#[derive(Clone, Copy)]
pub struct Field {
    versions: VersionRange,
    nullable: Option<VersionRange>,
    tag: Option<u32>,
}

impl Field {
    /// A field in these versions: in line, not nullable.
    #[inline(always)]
    pub fn new(versions: impl Into<VersionRange>) -> Self {
        Field { versions: versions.into(), nullable: None, tag: None }
    }

    /// Null is allowed in these versions.
    #[inline(always)]
    pub fn null(self, versions: impl Into<VersionRange>) -> Self {
        Field { nullable: Some(versions.into()), ..self }
    }

    /// The field is a tagged one.
    #[inline(always)]
    pub fn tag(self, tag: u32) -> Self {
        Field { tag: Some(tag), ..self }
    }

    /// Whether the field stands in line at this version.
    #[inline(always)]
    pub fn is_in_line(self, format: Format) -> bool {
        self.tag.is_none() && self.versions.contains(format.version)
    }

    /// The tag that the field has at this version.
    #[inline(always)]
    pub fn tag_in(self, format: Format) -> Option<u32> {
        self.tag.filter(|_| self.versions.contains(format.version))
    }
}

/// How the value at hand is encoded.
#[derive(Clone, Copy)]
pub struct Format {
    version: i16,
    flexible: bool,
    nullable: bool,
}

impl Format {
    /// The format of a message at `version`, whose flexible versions (KIP-482: compact lengths, tagged fields)
    /// start at `flexible_from`.
    pub fn new(version: i16, flexible_from: i16) -> Self {
        Format { version, flexible: version >= flexible_from, nullable: false }
    }

    /// Whether lengths are compact and structs end with tagged fields.
    pub fn is_flexible(self) -> bool {
        self.flexible
    }

    /// The format of one field.
    #[inline(always)]
    pub fn of(self, field: Field) -> Self {
        let nullable = field.nullable.is_some_and(|versions| versions.contains(self.version));
        Format { nullable, ..self }
    }

    /// The format of an array's elements, which are never null.
    fn of_element(self) -> Self {
        Format { nullable: false, ..self }
    }

    /// Null is refused where the version has none.
    pub(super) fn check_null<T>(self, value: Option<T>) -> Result<Option<T>, DecodeError> {
        if value.is_some() || self.nullable { Ok(value) } else { Err(DecodeError::Null) }
    }

    /// What to write for null: an empty value where the version has no null.
    fn instead_of_null<T>(self, empty: T) -> Option<T> {
        (!self.nullable).then_some(empty)
    }
}

/// A type of field.
pub trait Wire: Sized {
    /// Reads a value.
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError>;
    /// Writes the value.
    fn write(&self, writer: &mut Writer, format: Format);
}

macro_rules! fixed_width {
    ($($ty:ty: $method:ident),* $(,)?) => {
        $(
            impl Wire for $ty {
                fn read(reader: &mut Reader, _: Format) -> Result<Self, DecodeError> {
                    reader.$method()
                }
                fn write(&self, writer: &mut Writer, _: Format) {
                    writer.$method(*self);
                }
            }
        )*
    };
}

fixed_width! { bool: bool, i8: i8, i16: i16, i32: i32, i64: i64, TopicId: topic_id }

/// A number of 64 bits as IEEE 754 has them. Equal is what has the same bits, so what was read equals what is written of
/// it, whatever it is.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Float64(u64);

impl Float64 {
    /// The number that has these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Float64(bits)
    }
}

impl fmt::Debug for Float64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&f64::from_bits(self.0), f)
    }
}

impl Wire for Float64 {
    fn read(reader: &mut Reader, _: Format) -> Result<Self, DecodeError> {
        reader.i64().map(|bits| Float64(bits as u64))
    }
    fn write(&self, writer: &mut Writer, _: Format) {
        writer.i64(self.0 as i64);
    }
}

impl Wire for ErrorCode {
    fn read(reader: &mut Reader, _: Format) -> Result<Self, DecodeError> {
        reader.i16().map(ErrorCode::from)
    }
    fn write(&self, writer: &mut Writer, _: Format) {
        writer.i16((*self).into());
    }
}

impl Wire for String {
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        reader.string(format.flexible)?.ok_or(DecodeError::Null)
    }
    fn write(&self, writer: &mut Writer, format: Format) {
        writer.string(Some(self), format.flexible);
    }
}

impl Wire for Bytes {
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        reader.bytes(format.flexible)?.ok_or(DecodeError::Null)
    }
    fn write(&self, writer: &mut Writer, format: Format) {
        writer.bytes(Some(self), format.flexible);
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        read_array(reader, format)?.ok_or(DecodeError::Null)
    }
    fn write(&self, writer: &mut Writer, format: Format) {
        writer.array_length(Some(self.len()), format.flexible);
        self.iter().for_each(|element| element.write(writer, format.of_element()));
    }
}

fn read_array<T: Wire>(reader: &mut Reader, format: Format) -> Result<Option<Vec<T>>, DecodeError> {
    let Some(count) = reader.array_length::<T>(format.flexible)? else { return Ok(None) };
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        elements.push(T::read(reader, format.of_element())?);
    }
    Ok(Some(elements))
}

impl Wire for Option<String> {
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        format.check_null(reader.string(format.flexible)?)
    }
    fn write(&self, writer: &mut Writer, format: Format) {
        writer.string(self.as_deref().or(format.instead_of_null("")), format.flexible);
    }
}

impl Wire for Option<Bytes> {
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        format.check_null(reader.bytes(format.flexible)?)
    }
    fn write(&self, writer: &mut Writer, format: Format) {
        writer.bytes(self.as_ref().or(format.instead_of_null(&Bytes::new())), format.flexible);
    }
}

impl<T: Wire> Wire for Option<Vec<T>> {
    fn read(reader: &mut Reader, format: Format) -> Result<Self, DecodeError> {
        format.check_null(read_array(reader, format)?)
    }
    fn write(&self, writer: &mut Writer, format: Format) {
        match self {
            Some(elements) => elements.write(writer, format),
            None => writer.array_length(format.instead_of_null(0), format.flexible),
        }
    }
}
