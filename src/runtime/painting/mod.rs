//! # Painting
//!
//! A [`Picture`] as a PNG: its SVG, painted by resvg with a font that comes with the program, so that it looks the same wherever it runs.
//!
//! - **Nothing of it is in memory before the first picture**, and nothing is kept after one: the font is read where it lies in the program's file.
//! - **A picture is bounded**: at most [`MOST_PIXELS`], whatever is drawn; what is larger is painted smaller. One is painted at a time.
//! - **Painting takes a thread of its own**, never the loop's nor one that waits for others.
//! - **Nothing is fetched**: the SVG is ours and names no file and no address, and the parts of resvg that read images and look for fonts are not
//!   built in.
//!
//! The font is DejaVu Sans Mono, of which the letters of Latin, Greek and Cyrillic are here (made with `pyftsubset`, without hints); other letters
//! are painted as frames. Its licence lies beside it.

use crate::core::picture::Picture;
use crate::core::picture::svg::svg;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, Options, Tree, fontdb};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many points a painting has at most; four bytes each while it is painted.
pub const MOST_PIXELS: f64 = 4_000_000.0;
/// How many points there are for a unit of the drawing, where there is room: screens are fine today.
const FINE: f64 = 2.0;

const FONT: &[u8] = include_bytes!("DejaVuSansMono.ttf");

static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

/// Why there is no painting.
#[derive(Debug, thiserror::Error)]
pub enum Unpainted {
    /// The drawing is not understood.
    #[error("the drawing cannot be painted: {0}; this is a bug")]
    Drawing(#[from] usvg::Error),
    /// There is no room for so many points.
    #[error("a painting of {width} by {height} points cannot be made; this is a bug")]
    Size {
        /// How wide.
        width: u32,
        /// How high.
        height: u32,
    },
    /// It cannot be written as PNG.
    #[error("the painting cannot be written as PNG: {0}")]
    Writing(String),
    /// The thread that painted it broke down.
    #[error("the painting broke down: {0}; this is a bug")]
    Thread(#[from] tokio::task::JoinError),
}

/// A picture as a PNG, painted beside everything else.
///
/// # Errors
/// It cannot be painted.
pub async fn painted(picture: &Picture) -> Result<Vec<u8>, Unpainted> {
    // Nobody closes it.
    let _one = ONE_AT_A_TIME.acquire().await.ok();
    let picture = picture.clone();
    tokio::task::spawn_blocking(move || paint(&picture)).await?
}

/// A picture as a PNG.
///
/// # Errors
/// It cannot be painted.
pub fn paint(picture: &Picture) -> Result<Vec<u8>, Unpainted> {
    let drawing = svg(picture);
    let mut fonts = fontdb::Database::new();
    fonts.load_font_source(fontdb::Source::Binary(Arc::new(FONT)));
    let options = Options { fontdb: Arc::new(fonts), font_family: "DejaVu Sans Mono".to_owned(), ..Options::default() };
    let tree = Tree::from_str(&drawing.svg, &options)?;
    let scale = (MOST_PIXELS / (drawing.width * drawing.height)).sqrt().min(FINE);
    // Both are above nothing and bounded by the scale.
    let (width, height) = ((drawing.width * scale).floor() as u32, (drawing.height * scale).floor() as u32);
    let mut pixmap = Pixmap::new(width, height).ok_or(Unpainted::Size { width, height })?;
    let scale = scale as f32;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|why| Unpainted::Writing(why.to_string()))
}
