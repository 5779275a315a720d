//! A sheet to draw on: rectangles, lines and words at pixels, with the few colours that the picture
//! has.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Drawable, PathElement, PointCollection, Rectangle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor};

use crate::lab::LabError;
use crate::stream::Stream;

/// A colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink(u8, u8, u8);

/// The sheet itself.
pub(super) const WHITE: Ink = Ink(255, 255, 255);
/// Words that matter.
pub(super) const INK: Ink = Ink(31, 35, 40);
/// Words that matter less.
pub(super) const GREY: Ink = Ink(89, 99, 110);
/// What was lost.
pub(super) const PALE: Ink = Ink(234, 236, 239);
/// The lines of a scale.
pub(super) const LINE: Ink = Ink(208, 212, 218);

/// The colour of a stream: told apart by people who see colours differently, too (Okabe and Ito's
/// set).
pub(super) fn of_stream(stream: Stream) -> Ink {
    match stream {
        Stream::Gifts => Ink(213, 94, 0),
        Stream::Texts => Ink(0, 114, 178),
        Stream::Flood => Ink(90, 90, 90),
        Stream::Likes => Ink(0, 158, 115),
    }
}

impl Ink {
    /// The same, half way to white.
    pub(super) fn lighter(self) -> Self {
        let lighter = |part: u8| part + (u8::MAX - part) / 2;
        Self(lighter(self.0), lighter(self.1), lighter(self.2))
    }
}

impl From<Ink> for RGBColor {
    fn from(Ink(red, green, blue): Ink) -> Self {
        Self(red, green, blue)
    }
}

/// Which end of the words the point is at; they are centred on it upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The first letter.
    StartPosition,
    /// The middle.
    Middle,
}

/// The sheet.
pub(super) struct Canvas<'a>(DrawingArea<SVGBackend<'a>, Shift>);

impl<'a> Canvas<'a> {
    /// A white sheet, which will be in `document` once it is [finished](Self::finish).
    pub(super) fn new(document: &'a mut String, size: (u32, u32)) -> Result<Self, LabError> {
        let area = SVGBackend::with_string(document, size).into_drawing_area();
        area.fill(&RGBColor::from(WHITE)).map_err(failed)?;
        Ok(Self(area))
    }

    /// A filled rectangle: its upper left corner, its width and height. Without width, none.
    pub(super) fn fill(
        &self,
        (x, y): (i32, i32),
        (width, height): (i32, i32),
        ink: Ink,
    ) -> Result<(), LabError> {
        if width <= 0 {
            return Ok(());
        }
        self.draw(&Rectangle::new([(x, y), (x + width, y + height)], RGBColor::from(ink).filled()))
    }

    /// A thin upright line.
    pub(super) fn upright(
        &self,
        x: i32,
        (top, bottom): (i32, i32),
        ink: Ink,
    ) -> Result<(), LabError> {
        self.draw(&PathElement::new([(x, top), (x, bottom)], RGBColor::from(ink).stroke_width(1)))
    }

    /// Words.
    pub(super) fn text(
        &self,
        at: (i32, i32),
        size: u32,
        anchor: Anchor,
        ink: Ink,
        words: &str,
    ) -> Result<(), LabError> {
        self.words(at, (size, FontStyle::Normal), anchor, ink, words)
    }

    /// Words in bold that begin here.
    pub(super) fn bold(&self, at: (i32, i32), size: u32, words: &str) -> Result<(), LabError> {
        self.words(at, (size, FontStyle::Bold), Anchor::StartPosition, INK, words)
    }

    fn words(
        &self,
        at: (i32, i32),
        (size, style): (u32, FontStyle),
        anchor: Anchor,
        ink: Ink,
        words: &str,
    ) -> Result<(), LabError> {
        let across = match anchor {
            Anchor::StartPosition => HPos::Left,
            Anchor::Middle => HPos::Center,
        };
        // The size of a font counts the space between two lines; here it counts the letters.
        let font = ("sans-serif", f64::from(size) * 1.24, style).into_font();
        let style = font.color(&RGBColor::from(ink)).pos(Pos::new(across, VPos::Center));
        self.0.draw_text(words, &style, at).map_err(failed)
    }

    fn draw<E>(&self, element: &E) -> Result<(), LabError>
    where
        for<'b> &'b E: PointCollection<'b, (i32, i32)>,
        E: Drawable<SVGBackend<'a>>,
    {
        self.0.draw(element).map_err(failed)
    }

    /// Ends the document.
    pub(super) fn finish(self) -> Result<(), LabError> {
        self.0.present().map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> LabError {
    LabError::Setup(format!("the picture cannot be drawn: {error}"))
}
