//! Programs that pack, unpack and fetch: what they put where.

use alloc::format;
use alloc::vec::Vec;

use super::super::text::Field;
use super::options::Parsed;
use super::{FILE, INSIDE, Scene, TREE};

/// Is it `host:path`?
fn is_remote(text: &str) -> bool {
    let host = text.split(':').next().unwrap_or_default();
    text.contains(':') && !host.contains('/')
}

pub(super) fn rsync(scene: &mut Scene<'_>, arguments: &[Field]) {
    let valued = "e f B M T rsh filter exclude include exclude-from include-from files-from \
                  backup-dir suffix compare-dest copy-dest link-dest temp-dir partial-dir log-file \
                  port timeout bwlimit chmod chown rsync-path max-size min-size";
    let parsed = Parsed::new(arguments, valued);
    if parsed.has("n dry-run list-only") {
        return;
    }
    if let Some((target, sources)) = parsed.operands.split_last()
        && !sources.is_empty()
        && !is_remote(target.as_str())
    {
        // `from/` is put into the target itself, under names that are not told.
        let whole = sources.iter().any(|source| source.as_str().ends_with('/'));
        let deletes =
            "delete delete-after delete-before delete-delay delete-during delete-excluded";
        match whole || parsed.has(deletes) {
            // What is not in `from/` goes.
            true if whole
                && parsed.has(deletes)
                && !parsed.has("exclude exclude-from filter f") =>
            {
                scene.write(target, TREE, "rsync --delete");
            }
            true => scene.write(target, INSIDE, "rsync"),
            false => scene.put(sources, target, false, true, "rsync"),
        }
        if parsed.has("remove-source-files") {
            scene.write_all(sources, TREE, "rsync");
        }
    }
}

pub(super) fn scp(scene: &mut Scene<'_>, arguments: &[Field]) {
    let parsed = Parsed::new(arguments, "P i o F S c l J D X");
    if let Some((target, sources)) = parsed.operands.split_last()
        && !is_remote(target.as_str())
    {
        let path = |field: &Field| match field.as_str().rfind(':') {
            Some(at) => field.behind(at + 1),
            None => field.clone(),
        };
        let sources: Vec<Field> = sources.iter().map(path).collect();
        scene.put(&sources, target, sources.len() > 1, parsed.has("r"), "scp");
    }
}

pub(super) fn tar(scene: &mut Scene<'_>, arguments: &[Field]) {
    let valued = "f C b F g H I K L N T V X file directory exclude exclude-from files-from \
                  use-compress-program transform strip-components listed-incremental owner group \
                  mode one-file-system checkpoint-action to-command";
    // The first argument may be a cluster without its dash.
    let mut own = arguments.to_vec();
    if let Some(first) = own.first_mut()
        && !first.as_str().starts_with('-')
        && first.text.settled()
    {
        *first = Field::known(&format!("-{}", first.as_str()), first.span);
    }
    let parsed = Parsed::new(&own, valued);
    let archive = parsed.value("f file").filter(|field| !is_remote(field.as_str()));
    if parsed.has("t list d diff compare") || parsed.has("O to-stdout") {
        return;
    }
    if parsed.has("x extract get") {
        if let Some(folder) = parsed.value("C directory") {
            scene.within(folder);
        }
        if parsed.operands.is_empty() {
            let span = parsed.value("C directory").or(arguments.first()).map(|field| field.span);
            scene.write(&Field::known(".", span.unwrap_or_default()), INSIDE, "tar");
        }
        return scene.write_all(&parsed.operands, TREE, "tar");
    }
    if parsed.has("c create r append u update A catenate concatenate delete") {
        scene.write_all(archive, FILE, "tar");
    }
    if parsed.has("remove-files") {
        scene.write_all(&parsed.operands, TREE, "tar");
    }
}

pub(super) fn unzip(scene: &mut Scene<'_>, arguments: &[Field]) {
    let parsed = Parsed::new(arguments, "d x P");
    if parsed.has("l t p c Z z v") {
        return;
    }
    let span = arguments.first().map(|field| field.span).unwrap_or_default();
    let here = Field::known(".", span);
    scene.write(parsed.value("d").unwrap_or(&here), INSIDE, "unzip");
}

pub(super) fn compress(scene: &mut Scene<'_>, name: &str, arguments: &[Field]) {
    let parsed = Parsed::new(arguments, "o S T suffix threads output");
    if parsed.has("c stdout to-stdout l list t test") {
        return;
    }
    scene.write_all(parsed.value("o output"), FILE, name);
    for field in &parsed.operands {
        let endings = [".gz", ".bz2", ".xz", ".zst", ".lz4", ".tgz"];
        let text = field.as_str();
        let packed = endings.iter().find(|ending| text.ends_with(**ending));
        if !parsed.has("k keep") && !name.contains("zst") && name != "lz4" {
            scene.write(field, FILE, name);
        }
        let unpacks = name.starts_with("un") || name.contains("un") || parsed.has("d decompress");
        let ending = match name {
            "bzip2" => ".bz2",
            "xz" => ".xz",
            "zstd" => ".zst",
            "lz4" => ".lz4",
            _ => ".gz",
        };
        let mut other = field.clone();
        match (unpacks, packed) {
            (true, Some(ending)) => {
                other = Field { text: field.text.part(0, text.len() - ending.len()), ..other };
            }
            (true, None) => continue,
            (false, _) => other.text.push_str(ending, field.span.end),
        }
        scene.write(&other, FILE, name);
    }
}

/// The last part of the path of an address.
pub(super) fn name_of_url(field: &Field) -> Option<Field> {
    let text = field.settled()?;
    let path = text.split(['?', '#']).next()?;
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let (_, name) = path.rsplit_once('/')?;
    (!name.is_empty()).then(|| Field::known(name, field.span))
}

pub(super) fn curl(scene: &mut Scene<'_>, arguments: &[Field]) {
    let valued = "o d F H X A e u b c D T K m r x E w y Y z C Q U output data form header request \
                  user-agent referer user cookie cookie-jar dump-header upload-file config \
                  max-time range proxy cert key cacert write-out output-dir data-raw data-binary \
                  data-urlencode json connect-timeout retry retry-delay limit-rate resolve url \
                  trace trace-ascii stderr create-file-mode";
    let parsed = Parsed::new(arguments, valued);
    let written = "c cookie-jar D dump-header trace trace-ascii stderr";
    scene.write_all(parsed.values(written), FILE, "curl");
    if let Some(folder) = parsed.value("output-dir") {
        scene.within(folder);
    }
    scene.write_all(parsed.values("o output"), FILE, "curl");
    if parsed.has("O remote-name remote-name-all J") {
        let urls = parsed.operands.iter().chain(parsed.values("url"));
        for url in urls {
            match name_of_url(url) {
                Some(name) => scene.write(&name, FILE, "curl"),
                None => scene.unknown("a file that curl names", url.span),
            }
        }
    }
}

pub(super) fn wget(scene: &mut Scene<'_>, arguments: &[Field]) {
    let valued = "O o a P i U t T e w Q l A R D I X B output-document output-file append-output \
                  directory-prefix input-file user-agent tries timeout header post-data post-file \
                  execute wait limit-rate user password";
    let parsed = Parsed::new(arguments, valued);
    if parsed.has("spider h help V version") {
        return;
    }
    scene.write_all(parsed.values("o output-file a append-output"), FILE, "wget");
    if let Some(output) = parsed.value("O output-document") {
        return scene.write(output, FILE, "wget");
    }
    if let Some(folder) = parsed.value("P directory-prefix") {
        scene.within(folder);
    }
    let span = arguments.first().map(|field| field.span).unwrap_or_default();
    if parsed.has("r recursive m mirror p page-requisites i input-file") {
        return scene.write(&Field::known(".", span), INSIDE, "wget");
    }
    for url in &parsed.operands {
        match name_of_url(url) {
            Some(name) => scene.write(&name, FILE, "wget"),
            None => scene.unknown("a file that wget names", url.span),
        }
    }
}

pub(super) fn split(scene: &mut Scene<'_>, name: &str, arguments: &[Field]) {
    let valued = "a b C l n t f additional-suffix bytes lines number suffix-length filter prefix \
                  suffix-format digits";
    let parsed = Parsed::new(arguments, valued);
    let (prefix, given) = match name {
        "split" => ("x", parsed.operands.get(1)),
        _ => ("xx", parsed.value("f prefix")),
    };
    let span = arguments.first().map(|field| field.span).unwrap_or_default();
    let mut field = given.cloned().unwrap_or_else(|| Field::known(prefix, span));
    field.text.push_str("*", field.span.end);
    field.pattern = true;
    if !parsed.has("filter") {
        scene.write(&field, FILE, name);
    }
}
