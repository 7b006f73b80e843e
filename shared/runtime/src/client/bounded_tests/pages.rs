//! Lists of which some objects are large: all the others are seen, in a bounded number of requests.

use std::sync::Mutex;

use kube::api::ListParams;

use super::*;

/// A server with these objects, of which each answer has as many as were asked for, and the sizes that were asked for.
fn server(objects: Vec<String>) -> (Router, Arc<Mutex<Vec<usize>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let list = async move |uri: Uri| {
        let number = |name: &str| {
            let query = uri.query().unwrap_or_default();
            query.split('&').find_map(|it| it.strip_prefix(name)?.parse::<usize>().ok())
        };
        let (limit, from) = (number("limit=").unwrap(), number("continue=").unwrap_or(0));
        seen.lock().unwrap().push(limit);
        let to = objects.len().min(from + limit);
        let more = if to < objects.len() { to.to_string() } else { String::new() };
        let items = objects[from..to].join(",");
        Body::from(format!(r#"{{"metadata":{{"resourceVersion":"7","continue":"{more}"}},"items":[{items}]}}"#))
    };
    (Router::new().route(CONFIG_MAPS, get(list)), asked)
}

/// The names of a complete list, or why there is none.
async fn listed(client: Client) -> Result<usize, String> {
    let mut events = watcher(Api::<ConfigMap>::all(client), watching()).boxed();
    let mut names = std::collections::BTreeSet::new();
    let complete = async {
        loop {
            match events.next().await.expect("it does not end") {
                Ok(Event::InitApply(object)) => drop(names.insert(object.metadata.name)),
                Ok(Event::InitDone) => return Ok(names.len()),
                Ok(_) => {}
                Err(why) => return Err(said(&why)),
            }
        }
    };
    timeout(LIMIT, complete).await.expect("it does not hang")
}

fn object(at: usize, finalizers: usize) -> String {
    let finalizers = vec![r#""a""#; finalizers].join(",");
    format!(r#"{{"metadata":{{"name":"n{at}","finalizers":[{finalizers}]}}}}"#)
}

/// So many objects, of which each one from `first` to `last` has 280,000 finalizers: 1.1 MB.
fn fleet(all: usize, first: usize, last: usize) -> Vec<String> {
    (0..all).map(|at| object(at, if (first..=last).contains(&at) { 280_000 } else { 0 })).collect()
}

#[tokio::test]
async fn atk1_one_object_of_a_tenant_never_stops_a_list_of_the_supervisor() {
    let (routes, asked) = server(fleet(10_000, 5_000, 5_000));
    assert_eq!(listed(facing(routes, Bounds::of_supervisor()).await).await, Ok(10_000));
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked[..20], [250; 20], "up to it");
    assert_eq!(asked[20..24], [250, 25, 2, 1], "it");
    assert_eq!(asked[24..32], [2, 4, 8, 16, 32, 64, 128, 250], "and on");
    assert!(asked[32..].iter().all(|size| *size == 250) && asked.len() == 50, "{asked:?}");

    let (routes, asked) = server(fleet(10_000, 5_000, 5_000));
    let refused = listed(facing(routes, Bounds::default()).await).await;
    assert_eq!(refused, Err("the answer has more than 250000 values".to_owned()), "a cluster is not trusted as far");
    assert_eq!(asked.lock().unwrap()[20..], [250, 25, 2, 1]);
}

#[tokio::test]
async fn atk1_the_largest_object_of_an_api_server_fits_and_many_of_them_are_read_in_small_pages() {
    // 3 MiB that are nothing but values.
    let densest = format!(r#"{{"metadata":{{"name":"n0"}},"data":{{}},"x":[{}[]]}}"#, "[],".repeat((1 << 20) - 20));
    assert!((3 << 20) - densest.len() < 40, "{}", densest.len());
    let (routes, _) = server(vec![densest]);
    assert_eq!(listed(facing(routes, Bounds::of_supervisor()).await).await, Ok(1));

    let (routes, asked) = server(fleet(1_000, 100, 129));
    assert_eq!(listed(facing(routes, Bounds::of_supervisor()).await).await, Ok(1_000));
    let asked = asked.lock().unwrap().len();
    assert!(asked < 120, "{asked} requests for 30 that come one by one, of 1000");
}

#[tokio::test]
async fn atk1_t21_a_list_of_large_objects_is_read_in_smaller_pages_at_once() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let answer = async move |uri: Uri| {
        let query = uri.query().unwrap_or_default().trim_start_matches('&').to_owned();
        let fits = query.ends_with("limit=5");
        seen.lock().unwrap().push(query);
        if fits { page("") } else { Response::new(Body::from(vec![b' '; 3 << 20])) }
    };
    let client = facing(Router::new().route(CONFIG_MAPS, get(answer)), small()).await;
    let api = Api::<ConfigMap>::all(client);
    let list = api.list(&ListParams::default().limit(500).labels("a=b")).await;
    assert_eq!(list.unwrap().items.len(), 0);
    let wanted = ["labelSelector=a%3Db&limit=500", "labelSelector=a%3Db&limit=50", "labelSelector=a%3Db&limit=5"];
    assert_eq!(*asked.lock().unwrap(), wanted);
}

#[tokio::test]
async fn atk1_t21_a_cluster_whose_pages_never_fit_is_asked_four_times() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let answer = async move || {
        count.fetch_add(1, Ordering::Relaxed);
        vec![b' '; 3 << 20]
    };
    let client = facing(Router::new().route(CONFIG_MAPS, get(answer)), small()).await;
    assert_eq!(listed(client).await, Err("the answer is larger than 2 MiB".to_owned()));
    assert_eq!(asked.load(Ordering::Relaxed), 4, "250, 25, 2, 1");
}
