//! What a plan promises.

use super::*;
use crate::scenario::{Overrides, load_text};
use std::collections::{HashMap, HashSet};

const MIX: &str = r#"
    schema = 1
    name = "t"
    clients = { count = 3 }
    load = { think = "exponential(1ms)" }
    files = [
        { set = "small", count = 20, size = "uniform(1B, 9B)" },
        { set = "hot", count = 100, size = "1KiB", popularity = "zipf(1.0)", directory = "d" },
    ]
    operation = [
        { name = "get", do = "get", files = "small", weight = 5 },
        { name = "hot", do = "get", files = "hot", weight = 2 },
        { name = "none", do = "get", path = "nope", expect = "550", weight = 0.5 },
        { name = "put", do = "put", size = "uniform(1B, 1KiB)", names = 4, weight = 2 },
        { name = "ls", do = "ls", path = "d", weight = 0.5 },
    ]
"#;

fn plan(sets: &[&str]) -> Plan {
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    let loaded = load_text("t.toml", MIX, &Overrides { sets, ..Overrides::default() });
    Plan::new(&loaded.unwrap_or_else(|problems| panic!("{problems}")).scenario)
}

fn first(plan: &Plan, client: usize, count: usize) -> Vec<Planned> {
    let mut client = plan.client(client);
    (0..count).map(|_| client.next()).collect()
}

#[test]
fn a_client_does_the_same_whatever_the_others_do() {
    let plan_of_3 = plan(&[]);
    let plan_of_500 = plan(&["clients.count=500"]);
    let mut others: Vec<ClientPlan> = (0..3).map(|index| plan_of_3.client(index)).collect();
    let mut interleaved = Vec::new();
    for round in 0..200 {
        interleaved.push(others[1].next());
        (0..round % 5).for_each(|_| drop(others[0].next()));
    }
    assert_eq!(interleaved, first(&plan_of_500, 1, 200));
    assert_ne!(interleaved, first(&plan_of_3, 2, 200));
}

#[test]
fn equal_scenarios_have_equal_digests_and_others_have_not() {
    let digest = plan(&[]).digest();
    assert_eq!(digest, plan(&[]).digest());
    assert_eq!(digest.len(), 16);
    assert!(digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    for change in [
        "seed=2",
        "clients.count=4",
        "operation.put.weight=3",
        "files.small.size=2B",
        "load.think=0s",
        "files.hot.count=99",
    ] {
        assert_ne!(digest, plan(&[change]).digest(), "{change}");
    }
}

#[test]
fn the_operations_of_a_seed_never_change() {
    assert_eq!(plan(&[]).digest(), "65dbbe98ece9ab58");
}

#[test]
fn the_mix_has_the_shares_of_its_weights() {
    let mut counts = [0u32; 5];
    first(&plan(&[]), 0, 40_000).iter().for_each(|planned| counts[planned.operation] += 1);
    for (count, expected) in counts.into_iter().zip([20_000, 8_000, 2_000, 8_000, 2_000]) {
        assert!(count.abs_diff(expected) < 500, "{counts:?}");
    }
}

#[test]
fn uploads_take_their_names_in_turn_and_never_repeat_contents() {
    let plan = plan(&[]);
    let mut keys = HashSet::new();
    for client in [0, 2] {
        let uploads: Vec<(String, Content)> = first(&plan, client, 500)
            .into_iter()
            .filter_map(|planned| match planned.work {
                Work::Put { name, content } => Some((name, content)),
                _ => None,
            })
            .collect();
        for (index, (name, content)) in uploads.iter().enumerate() {
            assert_eq!(*name, format!("put-c{client:04}-{:03}", index % 4));
            assert!(keys.insert(content.key), "{name} has the contents of another");
        }
    }
}

#[test]
fn downloads_are_of_preloaded_files_and_the_popular_ones_are_more_frequent() {
    let plan = plan(&[]);
    let preloaded: HashMap<&str, Content> = plan.preload().iter().map(|file| (&*file.name, file.content)).collect();
    assert_eq!(preloaded.len(), 120, "all names differ");
    assert!(preloaded.contains_key("small-00019") && preloaded.contains_key("d/hot-00099"));
    let mut hits: HashMap<Arc<str>, u32> = HashMap::new();
    for planned in first(&plan, 0, 20_000) {
        match planned.work {
            Work::Get { name, content: None } => assert_eq!(&*name, "nope"),
            Work::Get { name, content } => {
                assert_eq!(preloaded.get(&*name), content.as_ref());
                *hits.entry(name).or_default() += 1;
            }
            Work::List { path, .. } => assert_eq!(&*path, "d"),
            other => assert!(matches!(other, Work::Put { .. }), "{other:?}"),
        }
    }
    assert!((0..20).all(|number| hits.contains_key(&*format!("small-{number:05}"))));
    let [first, second, tenth] = [0, 1, 9].map(|number| f64::from(hits[&*format!("d/hot-{number:05}")]));
    assert!((1.7..2.3).contains(&(first / second)), "{first} {second}");
    assert!((7.0..14.0).contains(&(first / tenth)), "{first} {tenth}");
}
