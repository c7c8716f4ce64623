import FileFormats
import System

extension Adapter {
  /// The adapter of a checkpoint's folder; of a run's folder its best one, else its last.
  ///
  /// - Throws: `InputError` if there is none, or it is not a CPT adapter.
  package init(checkpoint folder: String) throws {
    let run = RunDirectory(folder)
    try self.init(folder: run.holdsRun ? run.adapterFolder ?? folder : folder)
  }

  /// The configuration that a run wrote beside the adapter; nil if there is none.
  package var runConfigurationPath: String? {
    let file = folder + "/config.json"
    return fileExists(file) ? file : nil
  }

  /// The configuration to use the adapter with.
  ///
  /// - Parameters:
  ///   - file: the configuration's file: the one of its run, its own, or any other.
  ///   - overrides: keys with other values.
  ///   - model: another model than the configuration's, or than the adapter's if that names none.
  /// - Returns: the configuration, its paths as they are now.
  /// - Throws: `InputError` for its contents.
  package func configuration(
    file: String, overrides: [(path: String, value: JSON)] = [], model: String? = nil
  ) throws -> Configuration {
    var result = try Configuration(file: file, overrides: overrides)
    if file == runConfigurationPath { result = result.found(from: folder) }
    if result.baseModel == nil {
      result.baseModel = configuration.baseModel
      result.tokenizer = result.tokenizer ?? configuration.tokenizer
    }
    return model.map(result.using) ?? result
  }
}
