//! `corelane top`: what goes on in a cluster, as it goes on.
//!
//! [`ask`] looks at the cluster and makes a [`sample::Sample`]; two of them make a [`view::View`]; that becomes JSON,
//! or [`sections`] of text; [`live`] shows these on a terminal with [`screen`]. All but `ask`, `admin`, `live` and
//! `run` is pure.

mod admin;
mod arguments;
mod ask;
mod broker;
mod latency;
mod live;
mod page;
mod run;
mod sample;
mod screen;
mod sections;
mod view;

pub use arguments::TopCommand;
pub use run::run;
