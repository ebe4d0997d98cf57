//! Markers that keep the implementations of the traits of [parameters](super) apart. The compiler
//! infers them; programs do not name them.

/// The kind, and the value, of `cx: &mut Context`.
#[derive(Debug)]
pub struct Cx;

/// The kind of a first parameter that is not the context: `K` is its kind as a parameter.
#[derive(Debug)]
pub struct Other<K>(K);

/// The value of a first parameter that is not the context.
#[derive(Debug)]
pub struct First<T>(pub T);

/// The kind of a path argument, by position.
#[derive(Debug)]
pub struct Path;

/// The kind of a path argument that may be absent.
#[derive(Debug)]
pub struct OptionalPath;

/// The kind of a parameter that is read from the request, and leaves its body.
#[derive(Debug)]
pub struct Request;

/// The kind of a parameter that takes the body.
#[derive(Debug)]
pub struct TakesBody;

/// No parameter has taken the body yet.
#[derive(Debug)]
pub struct Unread;

/// A parameter has taken the body.
#[derive(Debug)]
pub struct Read;

/// The way in which every function is called.
#[derive(Debug)]
pub struct Usual;

/// Never inferred.
#[derive(Debug)]
pub struct Never;

/// No type implements this.
pub trait NoFunction {}
