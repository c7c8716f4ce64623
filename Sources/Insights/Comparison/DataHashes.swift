import LanguageModel
import Runs
import System

/// Hashes of what the cells of a study depend on; each data file is read once.
final class DataHashes {
  /// By path.
  private var ofFiles: [String: String] = [:]

  /// A hash of the files with a cell's rows.
  func fingerprint(of data: DataConfiguration) throws -> String {
    var fingerprint = Fingerprint()
    for path in [data.train, data.validation, data.test] {
      if let path, ofFiles[path] == nil { ofFiles[path] = try Fingerprint(of: readBytes(of: path)).text }
      fingerprint.add(Array((path.flatMap { ofFiles[$0] } ?? "").utf8))
    }
    return fingerprint.text
  }

  /// A hash of all that the results of a study depend on.
  func fingerprint(of study: Study) throws -> String {
    var fingerprint = Fingerprint(), models: Set<String> = []
    for condition in study.conditions {
      for method in study.methods {
        for choice in study.choices(of: method) {
          let configuration = try study.configuration(condition, method, seed: nil, choice: choice)
          fingerprint.add(configuration.resolvedJSON.compact)
          fingerprint.add(try self.fingerprint(of: configuration.data))
          if let model = configuration.baseModel, models.insert(model).inserted {
            fingerprint.add(try FrozenModel(path: model).fingerprint)
          }
        }
      }
    }
    for seed in study.seeds { fingerprint.add(seed) }
    return fingerprint.text
  }
}
