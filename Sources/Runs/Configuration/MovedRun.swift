import System

extension Configuration {
  /// The configuration that a run wrote, as read from the run's folder or from a checkpoint in it. The folder may have moved
  /// since, alone or together with the model and the data.
  ///
  /// A path that no longer exists is looked for where it was as seen from the run's folder.
  package func found(from folder: String) -> Configuration {
    guard let before = outputDirectory, before.hasPrefix("/") else { return self }
    let now = RunDirectory.ofCheckpoint(absolutePath(folder))
    if now == before { return self }
    var copy = self
    for path in Self.paths where path != \.outputDirectory {
      guard let old = copy[keyPath: path], !fileExists(old) else { continue }
      let moved = resolve(relativePath(of: old, from: before), relativeTo: now)
      if fileExists(moved) { copy[keyPath: path] = moved }
    }
    return copy
  }

  /// The configuration with another model. A tokenizer that was the model's, or that is no longer there, is
  /// that model's too.
  package func using(model path: String) -> Configuration {
    var copy = self
    if let tokenizer, baseModel.map({ absolutePath($0) == absolutePath(tokenizer) }) == true || !fileExists(tokenizer) {
      copy.tokenizer = nil
    }
    copy.baseModel = path
    return copy
  }
}
