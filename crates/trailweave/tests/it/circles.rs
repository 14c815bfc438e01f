//! No file of a crate imports from a file that imports from it, by however many steps, and no folder from such a folder.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::mem;
use std::path::Path;
use std::slice;

use proc_macro2::Delimiter;
use proc_macro2::TokenStream;
use proc_macro2::TokenTree;

/// The names on the way to a module or an item from the crate's root, which has none.
type Names = Vec<String>;

#[test]
fn no_files_of_a_crate_import_from_each_other() {
    let mut found = Vec::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let imports = imports(&sources(&entry.path().join("src")));
        for imports in [&imports, &rooms(&imports)] {
            for circle in circles(imports) {
                found.push(format!("{name}: {}\n    {}", files(&circle, " "), files_around(imports, &circle)));
            }
        }
    }
    assert!(found.is_empty(), "files import from each other:\n{}", found.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let sources = [
        ("lib", "mod a;\npub mod b;\npub use a::{One, c::Two as Second};\nuse b::Four;\n"),
        ("a", "mod c;\nfn f<'c>() { c::g('\\'', \"b::\"); }\n"),
        ("a/c", "use super::One;\n// crate::d\nuse crate::{\n    b::{self, Three},\n};\n"),
        ("b", "fn f() -> crate::Second { r#\"\" crate::d\"# }\n#[cfg(test)]\nmod tests {\n    use crate::d;\n}\n"),
        ("d", "#[cfg(test)]\nuse crate::a;\npub(crate) use crate::Own;\n"),
    ];
    let sources = sources.map(|(file, text)| (module(Path::new(file)), text.to_owned()));
    let found = imports(&sources.into());
    let expected = [("lib", "b"), ("a", "a/c"), ("a/c", "a b"), ("b", "a/c"), ("d", "lib")];
    for (of, to) in expected {
        let found: Vec<_> = found[&module(Path::new(of))].iter().cloned().collect();
        assert_eq!(files(&found, " "), to, "of {of}");
    }
    assert_eq!(files_around(&found, &[module(Path::new("a"))]), "a -> a/c -> a");
}

/// Reads every module's file but those of tests.
fn sources(src: &Path) -> BTreeMap<Names, String> {
    let mut sources = BTreeMap::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().unwrap() == "tests" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                sources.insert(module(&path.strip_prefix(src).unwrap().with_extension("")), text);
            }
        }
    }
    sources
}

/// Names the module of a file, given without its ending.
fn module(file: &Path) -> Names {
    let mut names: Names = file.iter().map(|name| name.to_str().unwrap().to_owned()).collect();
    if names == ["lib"] || names == ["main"] || names.ends_with(&["mod".to_owned()]) {
        names.pop();
    }
    names
}

/// Names the files of modules, without their ending.
fn files(modules: &[Names], between: &str) -> String {
    let file = |module: &Names| if module.is_empty() { "lib".to_owned() } else { module.join("/") };
    modules.iter().map(file).collect::<Vec<_>>().join(between)
}

/// Finds the modules that each module imports from. What the crate's root shows is taken from where it comes from.
fn imports(sources: &BTreeMap<Names, String>) -> BTreeMap<Names, BTreeSet<Names>> {
    let codes: BTreeMap<&Names, Code> = sources.iter().map(|(module, text)| (module, Code::of(text))).collect();
    let root = Names::new();
    let holder = |path: &[String]| (0..=path.len()).rev().map(|n| path[..n].to_vec()).find(|it| codes.contains_key(it));
    let of_root = codes.get(&root).into_iter().flat_map(|code| &code.shown);
    let shown: BTreeMap<&String, Names> =
        of_root.filter_map(|(name, path)| Some((name, from_root(path, &root, &codes)?))).collect();
    let mut imports = BTreeMap::new();
    for (&module, code) in &codes {
        let re_exports = code.shown.iter().filter(|_| !module.is_empty()).map(|(_, path)| path);
        let mut found = BTreeSet::new();
        for path in code.paths.iter().chain(re_exports).filter_map(|path| from_root(path, module, &codes)) {
            let is_of_root = path.first().is_some_and(|first| !codes.contains_key(&vec![first.clone()]));
            let shown = path.first().filter(|_| is_of_root).and_then(|name| shown.get(name));
            found.extend(holder(shown.unwrap_or(&path)));
        }
        found.remove(module);
        imports.insert(module.clone(), found);
    }
    imports
}

/// Takes each folder below the crate's root, with the file of its name, as one module, and leaves out the other files.
fn rooms(imports: &BTreeMap<Names, BTreeSet<Names>>) -> BTreeMap<Names, BTreeSet<Names>> {
    let folders: BTreeSet<&String> =
        imports.keys().filter(|module| module.len() > 1).map(|module| &module[0]).collect();
    let room = |module: &Names| module.first().filter(|name| folders.contains(name)).map(|name| vec![name.clone()]);
    let mut rooms: BTreeMap<Names, BTreeSet<Names>> = BTreeMap::new();
    for (module, imported) in imports {
        let Some(of) = room(module) else { continue };
        let imported: BTreeSet<Names> = imported.iter().filter_map(room).filter(|it| *it != of).collect();
        rooms.entry(of).or_default().extend(imported);
    }
    rooms
}

/// Resolves a path that a module writes; `None` where it leads out of the crate.
fn from_root(path: &[String], module: &Names, codes: &BTreeMap<&Names, Code>) -> Option<Names> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    let rest = &path[ups..];
    match path[0].as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => Some([&module[..module.len().checked_sub(ups)?], rest].concat()),
        child if codes.contains_key(&[module.as_slice(), &[child.to_owned()]].concat()) => {
            Some([module, path].concat())
        }
        _ => None,
    }
}

/// The paths that a file writes outside of its tests.
#[derive(Default)]
struct Code {
    /// Those of private imports and of expressions.
    paths: Vec<Names>,
    /// Those of public imports, with the name under which each is shown.
    shown: Vec<(String, Names)>,
}

impl Code {
    fn of(text: &str) -> Self {
        let mut all = Names::new();
        tokens(text.parse().unwrap(), &mut all);
        let tokens = without_tests(&all);
        let mut code = Self::default();
        let mut at = 0;
        while at < tokens.len() {
            if tokens[at] == "use" && tokens[at + 1] != "<" {
                let end = at + tokens[at..].iter().position(|it| it == ";").unwrap();
                let is_public = at > 0 && (tokens[at - 1] == "pub");
                let mut paths = Vec::new();
                branches(&tokens[at + 1..end], &[], &mut paths);
                for (name, path) in paths {
                    if is_public { code.shown.push((name, path)) } else { code.paths.push(path) }
                }
                at = end;
            } else {
                let mut path = vec![tokens[at].clone()];
                while tokens.get(at + 1).is_some_and(|it| it == "::")
                    && tokens.get(at + 2).is_some_and(|it| is_name(it))
                {
                    path.push(tokens[at + 2].clone());
                    at += 2;
                }
                if path.len() > 1 {
                    code.paths.push(path);
                }
            }
            at += 1;
        }
        code
    }
}

/// Takes the tree of an import apart into its paths, each with the name that it gets.
fn branches(tree: &[String], before: &[String], found: &mut Vec<(String, Names)>) {
    let mut path = before.to_vec();
    let mut renamed = None;
    let mut at = 0;
    while at < tree.len() {
        match tree[at].as_str() {
            "{" => {
                let mut depth = 0;
                let mut from = at + 1;
                for (n, token) in tree.iter().enumerate().skip(at) {
                    depth += i32::from(token == "{") - i32::from(token == "}");
                    if (depth == 1 && token == ",") || depth == 0 {
                        branches(&tree[from..n], &path, found);
                        from = n + 1;
                    }
                }
                return;
            }
            "as" => renamed = Some(tree[at + 1].clone()),
            "self" if !path.is_empty() => {}
            name if is_name(name) && renamed.is_none() => path.push(name.to_owned()),
            _ => {}
        }
        at += 1;
    }
    if let Some(name) = renamed.or_else(|| path.last().cloned()).filter(|_| !tree.is_empty()) {
        found.push((name, path));
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Splits code into names, `::` and other signs. Comments and literals are left out.
fn tokens(code: TokenStream, found: &mut Names) {
    for token in code {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                found.push(open.to_owned());
                tokens(group.stream(), found);
                found.push(close.to_owned());
            }
            TokenTree::Punct(second) if second.as_char() == ':' && found.last().is_some_and(|it| it == ":") => {
                found.pop();
                found.push("::".to_owned());
            }
            TokenTree::Ident(name) => found.push(name.to_string()),
            TokenTree::Punct(sign) => found.push(sign.to_string()),
            TokenTree::Literal(_) => {}
        }
    }
}

/// Leaves out each item below `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Names {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at..].iter().take(mark.len()).eq(mark) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        for token in &tokens[at..] {
            at += 1;
            depth += i32::from(token == "{") - i32::from(token == "}");
            if depth == 0 && (token == ";" || token == "}") {
                break;
            }
        }
    }
    kept
}

/// Finds the groups of modules that import from each other.
fn circles(imports: &BTreeMap<Names, BTreeSet<Names>>) -> Vec<Vec<Names>> {
    let reached: BTreeMap<&Names, BTreeSet<&Names>> = imports.keys().map(|from| (from, reach(imports, from))).collect();
    let mut circles = BTreeSet::new();
    for (from, to) in &reached {
        let circle: Vec<Names> = to.iter().filter(|to| reached[**to].contains(from)).map(|to| (*to).clone()).collect();
        circles.insert(circle);
    }
    circles.into_iter().filter(|circle| !circle.is_empty()).collect()
}

fn reach<'a>(imports: &'a BTreeMap<Names, BTreeSet<Names>>, from: &'a Names) -> BTreeSet<&'a Names> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(next) = waiting.pop() {
        waiting.extend(imports[next].iter().filter(|to| reached.insert(*to)));
    }
    reached
}

/// Writes down a shortest way from a file of a circle to itself.
fn files_around(imports: &BTreeMap<Names, BTreeSet<Names>>, circle: &[Names]) -> String {
    let mut ways = vec![vec![circle[0].clone()]];
    loop {
        for way in mem::take(&mut ways) {
            for to in &imports[way.last().unwrap()] {
                let longer = [way.as_slice(), slice::from_ref(to)].concat();
                if *to == circle[0] {
                    return files(&longer, " -> ");
                }
                ways.push(longer);
            }
        }
    }
}
