//! The program that people start. Cargo builds it wherever this file is tested; the conversations in
//! `tests/end-to-end` kill it and start it again.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;

#[test]
fn it_says_where_it_runs_and_keeps_its_folder_to_itself() {
    let folder = TempDir::new().unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local"));
        command.args(["--port", "0", "--data"]).arg(folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let mut first = start();
    let mut line = String::new();
    let out = first.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert!(
        line.starts_with("Stint runs at http://127.0.0.1:"),
        "{line}"
    );

    let second = start().wait_with_output().unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8(second.stderr).unwrap();
    let folder = folder.path().to_string_lossy();
    assert!(
        said.contains(&*folder) && said.contains("another local run"),
        "{said}"
    );
    first.kill().unwrap();
    first.wait().unwrap();
}
