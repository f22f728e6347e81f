//! The macro that turns the description of an API into its messages.
//!
//! ```text
//! api! {
//!     Metadata: MetadataRequest => MetadataResponse, versions 0..=13, flexible 9..;
//!
//!     /// Which topics the client asks about.
//!     pub struct MetadataRequest {
//!         /// `None` asks for all topics.
//!         topics: Option<Vec<MetadataRequestTopic>> [0.., null 1..],
//!         /// Whether topics that do not exist may be created.
//!         allow_auto_topic_creation: bool [4..] = true,
//!     }
//!     ...
//! }
//! ```
//!
//! In brackets stand the versions in which a field exists, those in which it may be null (its type is then an
//! `Option`), and its tag if it is a tagged one; after `=` its default if that is not the type's. Fields stand in
//! the order of the wire, tagged ones in the order of their tags. A field that a version lacks is not written and
//! is read as its default. Structs, fields and versions have the names and numbers of Kafka's schemas
//! (clients/src/main/resources/common/message).

/// Describes an API: its key, the types of its request and response, and all structs in them.
macro_rules! api {
    (
        $key:ident: $request:ident => $response:ident,
        versions $min:literal..=$max:literal, flexible $flexible:literal..;
        $(
            $(#[$doc:meta])*
            pub struct $name:ident { $($fields:tt)* }
        )*
    ) => {
        impl $crate::protocol::Message for $request {
            const API: $crate::protocol::Api = $crate::protocol::Api {
                key: $crate::protocol::ApiKey::$key,
                versions: $crate::protocol::VersionRange { min: $min, max: $max },
                flexible_from: $flexible,
            };
        }

        impl $crate::protocol::Request for $request {
            type Response = $response;
        }

        impl $crate::protocol::Message for $response {
            const API: $crate::protocol::Api = <$request as $crate::protocol::Message>::API;
        }

        $( wire_struct! { $(#[$doc])* pub struct $name { $($fields)* } } )*
    };
}

/// Defines one struct of a message with its default and its encoding.
macro_rules! wire_struct {
    (
        $(#[$doc:meta])*
        pub struct $name:ident {
            $( $(#[$field_doc:meta])* $field:ident: $ty:ty [$($spec:tt)*] $(= $default:expr)? ),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $ty, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: default_value!($($default)?), )* }
            }
        }

        impl $crate::protocol::wire::Wire for $name {
            fn read(
                reader: &mut $crate::protocol::Reader,
                format: $crate::protocol::wire::Format,
            ) -> Result<Self, $crate::protocol::DecodeError> {
                #[allow(unused_mut, reason = "a struct may have no fields")]
                let mut value = Self::default();
                $(
                    let field = field!($($spec)*);
                    if field.is_in_line(format) {
                        value.$field = $crate::protocol::wire::Wire::read(reader, format.of(field))?;
                    }
                )*
                if format.is_flexible() {
                    reader.tagged_fields(|_reader, _tag| {
                        $(
                            let field = field!($($spec)*);
                            if field.tag_in(format) == Some(_tag) {
                                value.$field = $crate::protocol::wire::Wire::read(_reader, format.of(field))?;
                                return Ok(true);
                            }
                        )*
                        Ok(false)
                    })?;
                }
                Ok(value)
            }

            fn write(&self, writer: &mut $crate::protocol::Writer, format: $crate::protocol::wire::Format) {
                $(
                    let field = field!($($spec)*);
                    if field.is_in_line(format) {
                        $crate::protocol::wire::Wire::write(&self.$field, writer, format.of(field));
                    }
                )*
                if format.is_flexible() {
                    #[allow(unused_mut, reason = "a struct may have no tagged fields")]
                    let mut tagged = $crate::protocol::writer::TaggedFields::default();
                    $(
                        let field = field!($($spec)*);
                        if let Some(tag) = field.tag_in(format) {
                            let default: $ty = default_value!($($default)?);
                            if self.$field != default {
                                tagged.push(tag, |writer| {
                                    $crate::protocol::wire::Wire::write(&self.$field, writer, format.of(field))
                                });
                            }
                        }
                    )*
                    writer.tagged_fields(tagged);
                }
            }
        }

        #[cfg(any(test, feature = "test-support"))]
        impl $crate::protocol::sample::Sample for $name {
            fn sample(_dice: &mut $crate::protocol::sample::Dice) -> Self {
                Self { $( $field: $crate::protocol::sample::Sample::sample(_dice), )* }
            }
        }
    };
}

/// Lets fields of a struct's type be null: a byte below 0 stands for null, another one before the struct.
macro_rules! nullable_struct {
    ($name:ident) => {
        impl $crate::protocol::wire::Wire for Option<$name> {
            fn read(
                reader: &mut $crate::protocol::Reader,
                format: $crate::protocol::wire::Format,
            ) -> Result<Self, $crate::protocol::DecodeError> {
                match reader.i8()? {
                    ..0 => format.check_null(None),
                    _ => $crate::protocol::wire::Wire::read(reader, format).map(Some),
                }
            }

            fn write(&self, writer: &mut $crate::protocol::Writer, format: $crate::protocol::wire::Format) {
                match self {
                    None => writer.i8(-1),
                    Some(value) => {
                        writer.i8(1);
                        $crate::protocol::wire::Wire::write(value, writer, format);
                    }
                }
            }
        }
    };
}

/// What the brackets behind a field's type say.
macro_rules! field {
    ($versions:expr $(, null $null:expr)? $(, tag $tag:literal)?) => {
        $crate::protocol::wire::Field::new($versions)$(.null($null))?$(.tag($tag))?
    };
}

macro_rules! default_value {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}
