import Glibc

/// Resolves a path from a file against the folder of that file; absolute paths are unchanged.
///
/// `..` removes the component before it: `a/b` and `../c` give `a/c`.
package func resolve(_ path: String, relativeTo folder: String) -> String {
  if path.hasPrefix("/") { return path }
  var components: [Substring] = []
  for component in (folder + "/" + path).split(separator: "/") where component != "." {
    if component == "..", let last = components.last, last != ".." {
      components.removeLast()
    } else {
      components.append(component)
    }
  }
  let joined = components.joined(separator: "/")
  return folder.hasPrefix("/") ? "/" + joined : joined.isEmpty ? "." : joined
}

/// The path from a folder to a file, both absolute: `/a/b` and `/a/c/d` give `../c/d`.
package func relativePath(of path: String, from folder: String) -> String {
  let target = path.split(separator: "/"), start = folder.split(separator: "/")
  let shared = zip(target, start).prefix { $0 == $1 }.count
  return (start.dropFirst(shared).map { _ in ".." } + target.dropFirst(shared)).joined(separator: "/")
}

/// The folder of a path: `a/b.json` → `a`, `b.json` → `.`, `/b` → `/`.
package func folder(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// The last component of a path.
package func lastComponent(of path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}

/// The absolute path: with links resolved if it exists, else relative to the current folder.
package func absolutePath(_ path: String) -> String {
  if let resolved = unsafe withPath(path, { unsafe realpath($0, nil) }) {
    defer { unsafe free(resolved) }
    return unsafe pathText(resolved)
  }
  let parent = folder(of: path)
  if path.hasPrefix("/") || parent == path { return path }
  return resolve(lastComponent(of: path), relativeTo: absolutePath(parent))
}
