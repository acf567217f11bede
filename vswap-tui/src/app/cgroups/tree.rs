//! Owners by path as a tree with sums: what leads to one cgroup only is joined with it.

use super::{CgroupState, Row, Sums, audit, name, order};
use crate::snapshot::MemcgView;
use rustc_hash::FxHashMap;

/// The rows of the tree of these owners, each with its index among `memcgs`.
pub(super) fn add<'a>(
    state: &CgroupState,
    wanted: impl Iterator<Item = (usize, &'a MemcgView, Sums)>,
    memcgs: &[MemcgView],
    page: u64,
    out: &mut Vec<Row>,
) {
    let mut nodes = tree(wanted);
    sum_up(&mut nodes, 0);
    let roots = std::mem::take(&mut nodes[0].children);
    walk(state, &nodes, roots, 0, memcgs, page, out);
}

struct Node {
    path: String,
    label: String,
    memcg: Option<usize>,
    children: Vec<usize>,
    sums: Sums,
    below: usize,
}

/// Nodes by path; node 0 is above all.
fn tree<'a>(memcgs: impl Iterator<Item = (usize, &'a MemcgView, Sums)>) -> Vec<Node> {
    let node = |path: String, label: &str| Node {
        path,
        label: label.to_owned(),
        memcg: None,
        children: Vec::new(),
        sums: Sums::default(),
        below: 0,
    };
    let mut nodes = vec![node(String::new(), "")];
    let mut known: FxHashMap<(usize, &str), usize> = FxHashMap::default();
    for (i, m, sums) in memcgs {
        let mut at = 0;
        let parts = m.path.split('/').filter(|p| !p.is_empty());
        // The root cgroup and owners without a path stand beside the top ones.
        let alone = (&*m.path == "/").then_some("/");
        for part in alone.into_iter().chain(parts) {
            at = *known.entry((at, part)).or_insert_with(|| {
                let path = match part.starts_with('#') || part == "/" {
                    true => part.to_owned(),
                    false => format!("{}/{part}", nodes[at].path),
                };
                nodes.push(node(path, part));
                let new = nodes.len() - 1;
                nodes[at].children.push(new);
                new
            });
        }
        nodes[at].memcg = Some(i);
        nodes[at].sums.add(&sums);
        if m.id == 0 && m.path.starts_with('#') {
            nodes[at].label = name(m);
        }
    }
    nodes
}

/// Adds what is below to each node; steps that lead to one node only are joined with it. The depth is that of paths,
/// which the kernel bounds.
fn sum_up(nodes: &mut [Node], at: usize) {
    for child in nodes[at].children.clone() {
        sum_up(nodes, child);
        let (sums, below) = (nodes[child].sums, nodes[child].below + 1);
        nodes[at].sums.add(&sums);
        nodes[at].below += below;
    }
    if at != 0
        && nodes[at].memcg.is_none()
        && let [only] = nodes[at].children[..]
    {
        let label = format!("{}/{}", nodes[at].label, nodes[only].label);
        let (path, memcg) = (nodes[only].path.clone(), nodes[only].memcg);
        let (children, below) = (std::mem::take(&mut nodes[only].children), nodes[only].below);
        let sums = nodes[only].sums;
        nodes[at] = Node { path, label, memcg, children, sums, below };
    }
}

fn walk(
    state: &CgroupState,
    nodes: &[Node],
    mut siblings: Vec<usize>,
    depth: usize,
    memcgs: &[MemcgView],
    page: u64,
    out: &mut Vec<Row>,
) {
    let difference = |n: &Node| n.memcg.and_then(|i| audit(&memcgs[i], page));
    siblings.sort_by(|a, b| {
        let (a, b) = (&nodes[*a], &nodes[*b]);
        order(state, (&a.sums, difference(a), &a.path), (&b.sums, difference(b), &b.path))
    });
    for at in siblings {
        let n = &nodes[at];
        let folded = state.folded.contains(&n.path) && !n.children.is_empty();
        out.push(Row {
            path: n.path.clone(),
            label: n.label.clone(),
            depth,
            below: n.below,
            folded,
            sums: n.sums,
            memcg: n.memcg,
            audit: difference(n),
        });
        if !folded {
            walk(state, nodes, n.children.clone(), depth + 1, memcgs, page, out);
        }
    }
}
