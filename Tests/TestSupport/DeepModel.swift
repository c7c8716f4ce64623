import Diagnostics
import FileFormats
import System

/// A model of a family's fixture with many layers: the fixture's own, one after the other, again and again.
package enum DeepModel {
  /// Writes config.json and model.safetensors into a folder that is there.
  package static func write(_ golden: FamilyGoldens.Case, layers: Int, to folder: String) throws {
    let file = try JSON.read(file: golden.folder + "/config.json")
    guard let members = file.object, let key = layerKeys.first(where: { file[$0] != nil }), let own = file[key]?.integer
    else { throw InputError.badData(golden.folder, "has no number of layers") }
    let configuration = JSON.object(
      members.map { .init($0.key, $0.key == key ? .integer(layers) : repeated($0.value, own: own, layers: layers)) })
    try writeAtomically(configuration.pretty, to: folder + "/config.json")
    let stored = try SafetensorsFile(path: golden.folder + "/model.safetensors").tensors
    let tensors = try stored.flatMap { tensor in
      let parts = tensor.name.split(separator: ".").map(String.init)
      let values = try tensor.floats()
      guard let place = parts.firstIndex(where: { Int($0) != nil }), let layer = Int(parts[place]) else {
        return [FloatTensor(name: tensor.name, shape: tensor.shape, values: values)]
      }
      return stride(from: layer, to: layers, by: own).map { copy in
        var parts = parts
        parts[place] = String(copy)
        return FloatTensor(name: parts.joined(separator: "."), shape: tensor.shape, values: values)
      }
    }
    try writeAtomically(safetensors(tensors, metadata: [("format", "pt")]), to: folder + "/model.safetensors")
  }

  private static let layerKeys = ["n_layer", "num_layers", "num_hidden_layers"]

  /// A list with an entry a layer, and GPT-Neo's list of kinds and how often they come, made longer.
  private static func repeated(_ value: JSON, own: Int, layers: Int) -> JSON {
    guard let list = value.array else { return value }
    if list.count == own, list.allSatisfy({ $0.string != nil }) {
      return .array((0..<layers).map { list[$0 % own] })
    }
    if let pair = list.first?.array, pair.count == 2, let kinds = pair[0].array {
      return .array([.array([pair[0], .integer(layers / kinds.count)])])
    }
    return value
  }
}
