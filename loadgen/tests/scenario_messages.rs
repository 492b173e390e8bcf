//! What people read when a scenario is wrong: every error at once, each with its place and the right word.

use muxftp_loadgen::scenario::{Overrides, load_text};

fn with(text: &str, overrides: &Overrides) -> String {
    match load_text("a.toml", text, overrides) {
        Ok(loaded) => panic!("nothing is wrong with\n{}", loaded.resolved_toml),
        Err(problems) => problems.to_string(),
    }
}

fn messages(text: &str) -> String {
    with(text, &Overrides::default())
}

fn sets(sets: &[&str]) -> Overrides {
    Overrides { sets: sets.iter().map(|set| (*set).to_owned()).collect(), ..Overrides::default() }
}

const GOOD: &str = r#"schema = 1
name = "good"

[[files]]
set = "small"
count = 20
size = "4KiB"

[[operation]]
name = "get-small"
do = "get"
files = "small"

[[operation]]
name = "put"
do = "put"
size = "4KiB"

[[threshold]]
that = "all.errors == 0"
"#;

#[test]
fn all_errors_of_a_file_are_shown_at_once() {
    let text = r#"schema = 1
name   = "two words"
sed    = 42

[clients]
count   = "3"
session = "100"
timeout = "10s"

[run]
duration = 20
warmup   = "2 sec"

[[files]]
set   = "small"
count = 200
size  = "uniform(8KiB, 4)"

[[operation]]
name  = "get-small"
do    = "get"
files = "smal"

[[operation]]
name   = "put"
do     = "put"
size   = "4KiB"
weigth = 35

[[threshold]]
that = "get-small.response.p99 < 20"
"#;
    let expected = r#"error: a.toml:2:10: a name has 1 to 64 letters, digits, `-` and `_`: it becomes part of a directory's name
    2 | name   = "two words"
      |          ^^^^^^^^^^^
error: a.toml:3:1: unknown key `sed`; did you mean `seed`?
    3 | sed    = 42
      | ^^^
error: a.toml:6:11: write 3 without quotes
    6 | count   = "3"
      |           ^^^
error: a.toml:7:11: "100": write "keep", or for example "100 operations"
    7 | session = "100"
      |           ^^^^^
error: a.toml:8:1: unknown key `timeout` in [clients]; the keys are `connect_timeout`, `reply_timeout`, `stall_timeout`, `count`, `session`, `connect_at`, `idle`, `bandwidth`
    8 | timeout = "10s"
      | ^^^^^^^
error: a.toml:11:12: a time needs a unit: write 20s or 20ms
   11 | duration = 20
      |            ^^
error: a.toml:12:12: `2sec`: unknown unit `sec`; a time takes ns, us, ms, s, m, h
   12 | warmup   = "2 sec"
      |            ^^^^^^^
error: a.toml:17:9: `uniform(8KiB, 4)`: a size needs a unit: write 4B or 4KiB
   17 | size  = "uniform(8KiB, 4)"
      |         ^^^^^^^^^^^^^^^^^^
error: a.toml:22:9: no file set "smal"; did you mean "small"?
   22 | files = "smal"
      |         ^^^^^^
error: a.toml:28:1: unknown key `weigth` in [[operation]] "put"; did you mean `weight`?
   28 | weigth = 35
      | ^^^^^^
error: a.toml:31:8: `get-small.response.p99 < 20`: a time needs a unit: write 20s or 20ms
   31 | that = "get-small.response.p99 < 20"
      |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
11 errors; nothing was run"#;
    assert_eq!(messages(text), expected);
}

#[test]
fn all_errors_of_syntax_are_shown_and_nothing_that_follows_from_them() {
    let text = "schema = 1\nname = mixed\n\n[run]\nduration = 20s\nduration = \"20s\"\n";
    let expected = "error: a.toml:2:8: a word or a quantity stands in quotes: write \"mixed\"
    2 | name = mixed
      |        ^^^^^
error: a.toml:5:12: a word or a quantity stands in quotes: write \"20s\"
    5 | duration = 20s
      |            ^^^
error: a.toml:6:1: duplicate key
    6 | duration = \"20s\"
      | ^^^^^^^^
3 errors; nothing was run";
    assert_eq!(messages(text), expected);
}

#[test]
fn what_is_missing_is_named_at_its_table() {
    let text = "[target]\ndialect = \"simpel\"\n\n[[operation]]\ndo = \"get\"\n\n[[operation]]\nname = \"b\"\n";
    let expected = r#"error: a.toml:1:1: `schema` is missing
    1 | [target]
      | ^
error: a.toml:1:1: `name` is missing
    1 | [target]
      | ^
error: a.toml:1:1: `address` is missing in [target]
    1 | [target]
      | ^^^^^^^^
error: a.toml:2:11: no dialect "simpel"; did you mean "simple"?
    2 | dialect = "simpel"
      |           ^^^^^^^^
error: a.toml:4:1: `name` is missing in [[operation]]
    4 | [[operation]]
      | ^^^^^^^^^^^^^
error: a.toml:4:1: a get needs `files` (a set) or `path` (one name)
    4 | [[operation]]
      | ^^^^^^^^^^^^^
error: a.toml:7:1: `do` is missing in [[operation]] "b"
    7 | [[operation]]
      | ^^^^^^^^^^^^^
7 errors; nothing was run"#;
    assert_eq!(messages(text), expected);
}

#[test]
fn overrides_are_checked_like_the_file_and_named_as_the_place() {
    let overrides = Overrides {
        environment: Some("run.drain=3, files.small.size=uniform(1KiB, 2)".into()),
        target: Some("somewhere".into()),
        ..sets(&[
            "run.duraton=5s",
            "operation.putt.weight=3",
            "schema.x=1",
            "clients",
            "lod.think=1s",
            "operation.put=1",
        ])
    };
    let expected = r#"error: --set: write key=value, e.g. clients.count=50
--set | clients
      | ^^^^^^^
error: LOADGEN_SET: a time needs a unit: write 3s or 3ms
LOADGEN_SET | run.drain=3
            |           ^
error: LOADGEN_SET: `uniform(1KiB, 2)`: a size needs a unit: write 2B or 2KiB
LOADGEN_SET | files.small.size=uniform(1KiB, 2)
            |                  ^^^^^^^^^^^^^^^^
error: --set: unknown key `duraton` in [run]; did you mean `duration`?
--set | run.duraton=5s
      |     ^^^^^^^
error: --set: no [[operation]] "putt"; did you mean "put"?
--set | operation.putt.weight=3
      |           ^^^^
error: --set: `schema` is a value, not a table
--set | schema.x=1
      |        ^
error: --set: unknown key `lod`; did you mean `load`?
--set | lod.think=1s
      | ^^^
error: --set: a key of [[operation]] "put" is missing after its name
--set | operation.put=1
      |           ^^^
error: --target: "somewhere" is not HOST:PORT, e.g. "192.0.2.10:2021" or "[::1]:2021"
--target | somewhere
         | ^^^^^^^^^
9 errors; nothing was run"#;
    assert_eq!(with(GOOD, &overrides), expected);
}

/// The one message about the good scenario with one override, without its place.
fn message(set: &str) -> String {
    let shown = with(GOOD, &sets(&[set]));
    assert!(shown.ends_with("1 error; nothing was run"), "{set}: {shown}");
    shown.lines().next().expect("it has three lines").replace("error: --set: ", "")
}

#[test]
fn each_check_has_its_message() {
    for (set, expected) in [
        ("description=\"a\\u001b[2J\"", "a string here is one line, without control characters"),
        ("schema=2", "this loadgen reads schema = 1"),
        ("seed=-1", "-1 is too small: at least 0"),
        ("target={address = \"h\"}", "\"h\" is not HOST:PORT, e.g. \"192.0.2.10:2021\" or \"[::1]:2021\""),
        ("clients=3", "`clients` is a table, not a number"),
        ("clients.count=0", "0 is out of range: from 1 to 1000000"),
        ("clients.session=0 operations", "\"0 operations\": write \"keep\", or for example \"100 operations\""),
        ("clients.connect_at=0/s", "a rate must be above 0"),
        ("clients.connect_at=200", "a rate needs a unit: write 200/s or 200/m"),
        ("clients.bandwidth=1MB", "`1MB`: unknown unit `MB`; did you mean `MB/s`?"),
        ("clients.reply_timeout=0s", "this time must be above 0"),
        ("load.model=open", "\"open\" is unknown here; write \"closed\""),
        ("load.model=closd", "\"closd\" is unknown here; did you mean \"closed\"?"),
        ("run.interval=50ms", "an interval is at least 100ms"),
        ("run.operations=0", "0 is too small: at least 1"),
        ("run.timer=busy", "\"busy\" is unknown here; write \"timerfd\" or \"spin\""),
        ("files.small.popularity=zip(1)", "\"zip(1)\" is unknown here; write \"uniform\" or \"zipf(1.0)\""),
        ("files.small.popularity=zipf(x)", "the exponent of zipf is a number from 0 to 10, e.g. \"zipf(1.0)\""),
        ("files.small.directory=../x", "a path here is relative and without `..`"),
        ("operation.put.name=Put", "\"Put\": a name here has 1 to 40 small letters, digits and `-`"),
        ("operation.put.name=server", "\"server\" has a meaning of its own in thresholds: take another name"),
        ("operation.put.name=get-small", "there are two operations \"get-small\""),
        ("operation.put.weight=0", "0 must be above 0"),
        ("operation.put.names=10001", "10001 is out of range: from 1 to 10000"),
        ("operation.put.files=small", "`files` in [[operation]] \"put\": only with do = \"get\""),
        ("operation.get-small.size=1B", "`size` in [[operation]] \"get-small\": only with do = \"put\""),
        ("operation.get-small.path=x", "a get has either `files` or `path`, not both"),
        ("operation.put.expect=ko", "\"ko\" is unknown here; did you mean \"ok\"?"),
        ("operation.put.expect=550", "a string is expected here: write \"550\""),
        ("operation.put.do=puts", "\"puts\" is unknown here; did you mean \"put\"?"),
        ("operation=[]", "there is no [[operation]]: nothing would be done"),
        ("verify.contents=yes", "true or false is expected here, not a string"),
        ("threshold=[{that = \"al.errors == 0\"}]", "`al.errors == 0`: no operation \"al\"; did you mean \"all\"?"),
        ("threshold.first.that=x", "no [[threshold]] \"first\": they have no names"),
        ("report.percentiles=[50, 100]", "a percentile is a number above 0 and below 100"),
        ("report.percentiles=[99, 50]", "the percentiles must rise"),
        ("report.directory=", "a directory is expected here, `.` for the current one"),
    ] {
        assert_eq!(message(set), expected, "{set}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_one_error() {
    let problems = muxftp_loadgen::scenario::load("/no/such.toml".as_ref(), &Overrides::default()).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "error: /no/such.toml: No such file or directory (os error 2)\n1 error; nothing was run"
    );
}

/// Whatever is typed, the answer is a scenario or a list of problems with places that can be shown.
#[test]
fn no_text_makes_it_stumble() {
    use rand::{RngExt, SeedableRng};
    const BITS: [&str; 16] =
        ["[", "]", "\"", "=", "\n", "{", "}", "(", ",", ".", "é", "\u{1b}", "1", "[[operation]]", "\r\n", " "];
    let mut wrong = 0;
    for seed in 0..3_000 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut text: Vec<String> = GOOD.chars().map(String::from).collect();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..text.len());
            match rng.random_range(0..3) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, BITS[rng.random_range(0..BITS.len())].to_owned()),
                _ => text[at] = BITS[rng.random_range(0..BITS.len())].to_owned(),
            }
        }
        let text = text.concat();
        let set = text[..text.char_indices().nth(12).map_or(0, |(at, _)| at)].to_owned();
        for overrides in [Overrides::default(), sets(&[&format!("run.{set}")])] {
            if let Err(problems) = load_text("a.toml", &text, &overrides) {
                wrong += 1;
                let shown = problems.to_string();
                let errors = shown.lines().filter(|line| line.starts_with("error: ")).count();
                assert!(errors > 0 && errors == problems.count(), "{shown}");
                assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
            }
        }
    }
    assert!(wrong > 2_000, "most of them are wrong: {wrong}");
}
