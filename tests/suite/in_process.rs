//! Every transcript against sessions without sockets, its bytes cut in every way.

use crate::support::in_process::{Arrival, InProcess};
use crate::transcripts::{flags, run_all};

/// Positions at which each block is cut: all of a short one, the first of a long one.
const CUT_MAX: usize = 300;

/// A transcript that sends more bytes than this at once has fewer cuts.
const SIZE_MAX: usize = 20_000;

/// Positions at which to cut blocks of up to so many bytes.
fn cuts(size: usize) -> impl Iterator<Item = usize> {
    let step = 1 + size / SIZE_MAX * 10;
    (0..=size.min(CUT_MAX)).step_by(step)
}

#[test]
fn sessions_answer_as_written() {
    run_all(|transcript| {
        let mut wire = InProcess::start(&flags(transcript), Arrival::Whole);
        transcript.with_larder(&mut wire)
    });
}

#[test]
fn sessions_answer_a_whole_transcript_as_one_pipeline() {
    run_all(|transcript| {
        let Some(pipeline) = transcript.as_one_pipeline() else {
            return Ok(());
        };
        let mut wire = InProcess::start(&flags(transcript), Arrival::Whole);
        pipeline.with_larder(&mut wire)
    });
}

#[test]
fn a_block_cut_anywhere_gets_the_same_answers() {
    run_all(|transcript| {
        if transcript.whole {
            return Ok(());
        }
        for at in cuts(transcript.block_size_max()) {
            let mut wire = InProcess::start(&flags(transcript), Arrival::CutAt(at));
            transcript
                .with_larder(&mut wire)
                .map_err(|what| format!("cut after {at} bytes: {what}"))?;
        }
        Ok(())
    });
}

#[test]
fn a_pipeline_in_small_pieces_gets_the_same_answers() {
    run_all(|transcript| {
        if transcript.whole {
            return Ok(());
        }
        let pipeline = transcript.as_one_pipeline();
        let pipeline = pipeline.as_ref().unwrap_or(transcript);
        // Bytes one by one where that ends this minute; a megabyte comes in larger pieces.
        let smallest = 1 + pipeline.block_size_max() / 20_000;
        for size in [smallest, smallest + 1, smallest + 4, smallest + 96] {
            let mut wire = InProcess::start(&flags(transcript), Arrival::Pieces(size));
            pipeline
                .with_larder(&mut wire)
                .map_err(|what| format!("in pieces of {size}: {what}"))?;
        }
        Ok(())
    });
}

#[test]
fn a_pipeline_cut_anywhere_gets_the_same_answers() {
    run_all(|transcript| {
        let Some(pipeline) = transcript.as_one_pipeline() else {
            return Ok(());
        };
        let size = pipeline.block_size_max();
        if size > SIZE_MAX {
            return Ok(());
        }
        for at in 0..=size {
            let mut wire = InProcess::start(&flags(transcript), Arrival::CutAt(at));
            pipeline
                .with_larder(&mut wire)
                .map_err(|what| format!("cut after {at} bytes: {what}"))?;
        }
        Ok(())
    });
}
