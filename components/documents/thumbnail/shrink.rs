//! Makes small pictures of images.

use std::fs::File;
use std::io::{BufReader, Cursor};

use image::codecs::jpeg::JpegEncoder;
use image::error::{LimitError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::Thumbnail;

/// The JPEG quality of a thumbnail, out of 100.
const QUALITY: u8 = 80;

/// The largest image file, in bytes, for which a thumbnail is made.
const LARGEST_FILE: u64 = 64 << 20;

/// The largest width and height of an image, in pixels, and the most memory to decode it, in bytes.
const LARGEST_SIDE: u32 = 20_000;
const LARGEST_DECODED: u64 = 256 << 20;

/// Makes the thumbnail of an image, at most `size` pixels wide and high, with the correct orientation.
pub(super) fn shrink(file: File, size: u32) -> Result<Thumbnail, ImageError> {
    if file.metadata()?.len() > LARGEST_FILE {
        let limit = LimitErrorKind::InsufficientMemory;
        return Err(ImageError::Limits(LimitError::from_kind(limit)));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_DECODED);
    let mut reader = ImageReader::new(BufReader::new(file)).with_guessed_format()?;
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // A camera that was held upright records that instead of rotating the picture.
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?.thumbnail(size, size);
    image.apply_orientation(orientation);
    let mut content = Cursor::new(Vec::new());
    let media_type = if image.color().has_alpha() {
        image.write_to(&mut content, ImageFormat::Png)?;
        "image/png"
    } else {
        let encoder = JpegEncoder::new_with_quality(&mut content, QUALITY);
        image.into_rgb8().write_with_encoder(encoder)?;
        "image/jpeg"
    };
    Ok(Thumbnail {
        content: content.into_inner().into(),
        media_type,
    })
}
