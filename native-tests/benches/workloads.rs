//! The workloads under Criterion: each way by itself, with a confidence interval for its time.
//!
//! The data is that of `make bench`, which makes it; `BENCH_DATA` names its directory.

use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, SamplingMode};
use native_tests::workloads::{Place, Ways, all, data};

fn main() {
    let scratch = tempfile::tempdir().expect("there is a temporary directory");
    let data = std::env::var_os("BENCH_DATA").map(PathBuf::from).expect("BENCH_DATA names the directory of the data");
    assert!(data.join("text").exists(), "there is no data in {}: `make bench` makes it", data.display());
    let place = Place { data, scratch: scratch.path().to_owned(), len: data::LEN, python: None };

    let mut criterion = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(200));
    criterion = criterion.measurement_time(Duration::from_millis(500)).without_plots().configure_from_args();
    for workload in all().iter().filter(|workload| workload.on.is_here()) {
        let mut group = criterion.benchmark_group(workload.name);
        // Every sample has the same number of passes over the data.
        group.sampling_mode(SamplingMode::Flat);
        let mut ways = Ways::default();
        (workload.ready)(&place, &mut ways);
        let names: Vec<_> = ways.names().collect();
        for (index, way) in names.into_iter().enumerate() {
            group.bench_function(way, |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| ways.act(index)).sum());
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
