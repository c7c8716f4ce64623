import FileFormats

/// The `model` section.
package struct ModelConfiguration: Sendable, Equatable {
  /// The number format of the weights in memory.
  package enum Weights: String, CaseIterable, Sendable {
    /// As the file has them, used in place in the mapped file.
    case stored
    /// The blocks' matrices in 8-bit blocks, made when the model is opened.
    case q8
  }

  package var weights = Weights.stored
}

extension ModelConfiguration: ConfigurationSection {
  package static let fields: [Field<ModelConfiguration>] = [
    Field(
      "weights", \.weights, .choice, "\"stored\": as in the file; \"q8\": the blocks' matrices in 8 bits, made at load")
  ]
}
