//! Makes the thumbnail of an image: decodes it within a budget of memory, turns it upright, and
//! converts its colors.

use std::fs::File;
use std::io::{BufReader, Cursor};

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageResult};
use kamea::compute;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Thumbnail;
use super::weigh::{Weight, too_large, weigh};
use crate::file::{Wanted, wanted};

/// The JPEG quality of a thumbnail, out of 100.
const QUALITY: u8 = 80;

/// The largest image file, in bytes, for which a thumbnail is made.
const LARGEST_FILE: u64 = 64 << 20;

/// The most memory for all images that are decoded at the same time, in bytes.
const BUDGET: u64 = 256 << 20;

/// The unit of the budget, in bytes.
const UNIT: u64 = 1 << 10;

static DECODING: Semaphore = Semaphore::const_new((BUDGET / UNIT) as usize);

/// The largest color profile that is used, in bytes. Those of cameras and phones have a few
/// kibibytes.
const LARGEST_PROFILE: usize = 1 << 20;

/// Makes the thumbnail of an image, at most `size` pixels wide and high. Dropping the future ends
/// the work at the next read of the file.
pub(super) async fn make(file: File, size: u32) -> ImageResult<Thumbnail> {
    let (_waiting, wanted) = wanted();
    let (file, weight, wanted) = compute(move || {
        let weight = weigh_file(&file, wanted.clone())?;
        Ok::<_, ImageError>((file, weight, wanted))
    })
    .await?;
    let permit = reserve(weight).await?;
    compute(move || {
        let _permit = permit;
        wanted.check()?;
        decode(file, wanted, weight, size)
    })
    .await
}

fn weigh_file(file: &File, wanted: Wanted) -> ImageResult<Weight> {
    let length = file.metadata()?.len();
    if length > LARGEST_FILE {
        return Err(too_large());
    }
    weigh(BufReader::new(wanted.read(file)), length)
}

/// Waits until the budget has room for an image.
async fn reserve(weight: Weight) -> ImageResult<SemaphorePermit<'static>> {
    if weight.bytes > BUDGET {
        return Err(too_large());
    }
    let units = u32::try_from(weight.bytes.div_ceil(UNIT)).map_err(|_| too_large())?;
    let permit = DECODING.acquire_many(units).await;
    Ok(permit.expect("nobody closes it"))
}

fn decode(file: File, wanted: Wanted, weight: Weight, size: u32) -> ImageResult<Thumbnail> {
    let mut decoder = weight.decoder(BufReader::new(wanted.read(file)))?;
    // A camera that was held upright records that instead of rotating the picture.
    let orientation = decoder.orientation()?;
    let profile = decoder.icc_profile()?;
    let image = DynamicImage::from_decoder(decoder)?;
    let mut thumbnail = image.thumbnail(size, size);
    drop(image);
    thumbnail.apply_orientation(orientation);
    let profile = profile.filter(|profile| profile.len() <= LARGEST_PROFILE);
    encode(to_srgb(thumbnail, profile.as_deref()))
}

/// Converts an image from the color space of its profile: a thumbnail without a profile is taken
/// for sRGB by browsers. A profile that is invalid, or for other colors than red, green and blue,
/// is ignored: the decoder converts the colors of print itself.
fn to_srgb(image: DynamicImage, profile: Option<&[u8]>) -> DynamicImage {
    let profile = profile.and_then(|profile| ColorProfile::new_from_slice(profile).ok());
    let Some(profile) = profile.filter(|profile| profile.color_space == DataColorSpace::Rgb) else {
        return image;
    };
    let layout = match image.color().has_alpha() {
        true => Layout::Rgba,
        false => Layout::Rgb,
    };
    let options = TransformOptions::default();
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_8bit(layout, &srgb, layout, options);
    let Ok(transform) = transform else {
        return image;
    };
    let convert = |from: &[u8]| {
        let mut to = vec![0; from.len()];
        transform.transform(from, &mut to).ok().map(|()| to)
    };
    let converted = match layout {
        Layout::Rgba => {
            let rgba = image.to_rgba8();
            let converted = convert(&rgba)
                .and_then(|to| image::RgbaImage::from_raw(rgba.width(), rgba.height(), to));
            converted.map(DynamicImage::from)
        }
        _ => {
            let rgb = image.to_rgb8();
            let converted = convert(&rgb)
                .and_then(|to| image::RgbImage::from_raw(rgb.width(), rgb.height(), to));
            converted.map(DynamicImage::from)
        }
    };
    converted.unwrap_or(image)
}

fn encode(image: DynamicImage) -> ImageResult<Thumbnail> {
    let mut content = Cursor::new(Vec::new());
    let media_type = if image.color().has_alpha() {
        // Eight bits are enough for a thumbnail.
        image
            .into_rgba8()
            .write_to(&mut content, ImageFormat::Png)?;
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

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    #[test]
    fn an_image_is_not_weighed_for_nobody() {
        let mut file = tempfile::tempfile().unwrap();
        let image = DynamicImage::from(RgbImage::new(2, 2));
        let mut content = Cursor::new(Vec::new());
        image.write_to(&mut content, ImageFormat::Png).unwrap();
        std::io::Write::write_all(&mut file, content.get_ref()).unwrap();
        let (waiting, wanted) = wanted();
        let weigh = || {
            std::io::Seek::rewind(&mut &file)?;
            weigh_file(&file, wanted.clone())
        };
        assert!(weigh().is_ok());
        drop(waiting);
        assert!(weigh().is_err());
    }

    #[test]
    fn colors_are_those_of_srgb() {
        // A color of each space, and the same color in sRGB.
        let rows = [
            (ColorProfile::new_srgb(), [200, 100, 50], [200, 100, 50]),
            // Computed by hand from the primaries of SMPTE EG 432-1 and of Adobe RGB (1998).
            (
                ColorProfile::new_display_p3(),
                [200, 100, 50],
                [215, 93, 31],
            ),
            (
                ColorProfile::new_adobe_rgb(),
                [150, 120, 90],
                [162, 121, 88],
            ),
            (
                ColorProfile::new_display_p3(),
                [128, 128, 128],
                [128, 128, 128],
            ),
        ];
        for (profile, from, expected) in rows {
            let profile = profile.encode().unwrap();
            let opaque = RgbImage::from_pixel(3, 2, Rgb(from)).into();
            let opaque = to_srgb(opaque, Some(&profile)).into_rgb8();
            let [red, green, blue] = from;
            let clear = RgbaImage::from_pixel(3, 2, Rgba([red, green, blue, 77])).into();
            let clear = to_srgb(clear, Some(&profile)).into_rgba8();
            for pixel in opaque.pixels() {
                assert_near(&pixel.0, &expected);
            }
            for pixel in clear.pixels() {
                assert_near(&pixel.0[..3], &expected);
                assert_eq!(pixel.0[3], 77, "the alpha channel is not a color");
            }
        }
    }

    fn assert_near(pixel: &[u8], expected: &[u8]) {
        let is_near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 2;
        let near = pixel.iter().zip(expected).all(is_near);
        assert!(near, "{pixel:?}, not {expected:?}");
    }

    #[test]
    fn a_profile_that_cannot_be_used_is_ignored() {
        let image = || DynamicImage::from(RgbImage::from_pixel(2, 2, Rgb([9, 8, 7])));
        let mut broken = ColorProfile::new_display_p3().encode().unwrap();
        broken.truncate(200);
        let gray = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        for profile in [&b""[..], b"no profile", &broken, &gray] {
            let converted = to_srgb(image(), Some(profile)).into_rgb8();
            assert_eq!(converted.get_pixel(0, 0).0, [9, 8, 7]);
        }
    }
}
