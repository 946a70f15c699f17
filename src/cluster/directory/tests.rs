//! The directory, as sessions and a source of membership see it.

use super::*;

/// A source of membership that notes what it is told.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<Vec<Node>>>>);

impl Inbox for Notes {
    fn declare(&self, nodes: Vec<Node>) {
        self.0.lock().push(nodes);
    }
}

fn document(version: u32, nodes: &str) -> Document {
    let nodes = nodes.split(' ').map(|node| node.parse().unwrap());
    Document::new(version, nodes.collect()).unwrap()
}

fn alone() -> Directory {
    Directory::new("127.0.0.1|127.0.0.1|11211".parse().unwrap())
}

fn text(directory: &Directory) -> String {
    let view = directory.view();
    String::from_utf8(view.cluster().bytes.to_vec()).unwrap()
}

#[test]
fn a_client_gets_back_the_bytes_and_flags_that_it_stored() {
    let directory = alone();
    assert_eq!(text(&directory), "1\n127.0.0.1|127.0.0.1|11211\n");
    let odd = b"7 \r\nnot quite | a list\r\n";
    assert_eq!(directory.set(CLUSTER_KEY, 9, odd), Ok(()));
    let view = directory.view();
    assert_eq!(
        (view.cluster().flags, &*view.cluster().bytes),
        (9, &odd[..])
    );
    assert_eq!((view.version(), view.nodes()), (7, &[][..]));
}

#[test]
fn deleting_what_was_stored_brings_the_list_of_one_back_under_a_higher_version() {
    let directory = alone();
    assert_eq!(directory.delete(CLUSTER_KEY), Ok(false));
    directory.set(CLUSTER_KEY, 0, b"41\na||1\n").unwrap();
    directory.set(CLUSTER_KEY, 0, b"5\nb||1\n").unwrap();
    assert_eq!(directory.delete(CLUSTER_KEY), Ok(true));
    assert_eq!(text(&directory), "42\n127.0.0.1|127.0.0.1|11211\n");
    assert_eq!(directory.delete(CLUSTER_KEY), Ok(false));
    // There is nothing above the largest version.
    let largest = format!("{VERSION_MAX}\na||1\n");
    directory.set(CLUSTER_KEY, 0, largest.as_bytes()).unwrap();
    assert_eq!(directory.delete(CLUSTER_KEY), Ok(true));
    assert_eq!(directory.view().version(), VERSION_MAX);
}

#[test]
fn sixteen_entries_are_kept_and_not_one_more() {
    let directory = alone();
    for i in 1..CONFIG_COUNT_MAX {
        assert_eq!(directory.set(format!("k{i}").as_bytes(), 0, b"v"), Ok(()));
    }
    assert_eq!(directory.view().count(), CONFIG_COUNT_MAX);
    assert_eq!(directory.set(b"one more", 0, b"v"), Err(Refused::Full));
    assert_eq!(directory.set(b"k3", 4, b"new"), Ok(()));
    assert_eq!(directory.view().entry(b"k3").unwrap().flags, 4);
    assert_eq!(directory.delete(b"k3"), Ok(true));
    assert_eq!(directory.delete(b"k3"), Ok(false));
    assert_eq!(directory.set(b"one more", 0, b"v"), Ok(()));
    assert!(directory.view().entry(b"k3").is_none());
    assert_eq!(text(&directory), "1\n127.0.0.1|127.0.0.1|11211\n");
}

#[test]
fn an_entry_may_be_as_large_as_the_bound_and_not_a_byte_larger() {
    let directory = alone();
    let largest = vec![b'x'; CONFIG_SIZE_MAX];
    assert_eq!(directory.set(b"k", 0, &largest), Ok(()));
    let larger = vec![b'x'; CONFIG_SIZE_MAX + 1];
    assert_eq!(directory.set(b"k", 0, &larger), Err(Refused::TooLarge));
    assert_eq!(directory.set(b"", 0, b""), Err(Refused::Key));
    assert_eq!(directory.set(&[b'k'; 251], 0, b""), Err(Refused::Key));
}

#[test]
fn nodes_that_are_declared_elsewhere_are_not_changed_by_clients() {
    let directory = alone();
    directory.set_source(Source::Declared("file"));
    directory.publish(&document(4, "a||1")).unwrap();
    assert_eq!(
        directory.set(CLUSTER_KEY, 0, b"9\nb||1\n"),
        Err(Refused::Declared)
    );
    assert_eq!(directory.delete(CLUSTER_KEY), Err(Refused::Declared));
    assert_eq!(directory.set(b"other", 0, b"v"), Ok(()));
    assert_eq!(
        (text(&directory).as_str(), directory.source()),
        ("4\na||1\n", "file")
    );
}

#[test]
fn one_version_never_names_two_documents_and_versions_never_fall() {
    let directory = alone();
    directory.set_source(Source::Declared("file"));
    // What was served before there was a source was nobody's list.
    directory.publish(&document(1, "a||1 b||1")).unwrap();
    assert_eq!(
        directory.publish(&document(1, "a||1")),
        Err(Stale { served: 1 })
    );
    assert_eq!(directory.publish(&document(1, "a||1 b||1")), Ok(()));
    assert_eq!(directory.publish(&document(3, "a||1")), Ok(()));
    assert_eq!(
        directory.publish(&document(2, "b||1")),
        Err(Stale { served: 3 })
    );
    assert_eq!(text(&directory), "3\na||1\n");
    assert_eq!(directory.view().nodes().len(), 1);
}

#[test]
fn a_shared_list_changes_when_its_members_have_agreed() {
    let directory = alone();
    let notes = Notes::default();
    directory.set_source(Source::Shared("gossip", Box::new(notes.clone())));
    directory.publish(&document(5, "a||1 b||1")).unwrap();
    assert_eq!(directory.delete(CLUSTER_KEY), Ok(false));
    for stale in ["5\nc||1\n", "4\na||1 b||1\n"] {
        let refused = directory.set(CLUSTER_KEY, 0, stale.as_bytes());
        assert_eq!(refused, Err(Refused::Stale), "{stale:?}");
    }
    let refused = directory.set(CLUSTER_KEY, 0, b"6\n\n");
    assert_eq!(refused, Err(Refused::NotADocument(DocumentError::NoNodes)));
    assert_eq!(directory.set(CLUSTER_KEY, 2, b"6\r\nc||1 \r\n"), Ok(()));
    assert_eq!(text(&directory), "5\na||1 b||1\n");
    let wanted = document(6, "c||1");
    assert_eq!(*notes.0.lock(), [wanted.nodes().to_vec()]);
    directory.publish(&wanted).unwrap();
    assert_eq!(text(&directory), "6\nc||1\n");
}
