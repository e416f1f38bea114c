//! Orders to monitorings: what comes of them is believed when it is seen.

mod checkmk;
