import CContextTuning
import ContextTuning
import Diagnostics
import Glibc

/// A model with its labels as C texts.
private final class OpenModel {
  let model: TunedModel
  let labels: [UnsafeMutablePointer<CChar>?]

  init(_ model: TunedModel) {
    self.model = model
    labels = model.labels.map { strdup($0) }
  }

  deinit { for label in labels { free(label) } }
}

private func opened(_ model: OpaquePointer) -> OpenModel {
  Unmanaged<OpenModel>.fromOpaque(UnsafeRawPointer(model)).takeUnretainedValue()
}

/// The result of some work; nil, and its error as a text, if it fails.
private func attempt<Result>(
  _ error: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ work: () throws -> Result
) -> Result? {
  do {
    return try work()
  } catch let failure {
    error?.pointee = strdup("\(failure)")
    return nil
  }
}

nonisolated(unsafe) private let versionText: UnsafePointer<CChar>? = UnsafePointer(strdup(version))

@c @implementation
public func cpt_version() -> UnsafePointer<CChar>? { versionText }

@c @implementation
public func cpt_open(
  _ checkpoint: UnsafePointer<CChar>?, _ model: UnsafePointer<CChar>?, _ threads: Int32,
  _ error: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> OpaquePointer? {
  attempt(error) {
    guard let checkpoint else { throw CallError("checkpoint is NULL; expected a folder") }
    var options = TunedModel.Options()
    options.model = model.map { String(cString: $0) }
    options.threads = threads == 0 ? nil : Int(threads)
    let opened = OpenModel(try TunedModel(checkpoint: String(cString: checkpoint), options: options))
    return OpaquePointer(Unmanaged.passRetained(opened).toOpaque())
  }
}

@c @implementation
public func cpt_close(_ model: OpaquePointer?) {
  guard let model else { return }
  Unmanaged<OpenModel>.fromOpaque(UnsafeRawPointer(model)).release()
}

@c @implementation
public func cpt_label_count(_ model: OpaquePointer?) -> Int { model.map { opened($0).labels.count } ?? 0 }

@c @implementation
public func cpt_label(_ model: OpaquePointer?, _ index: Int) -> UnsafePointer<CChar>? {
  guard let labels = model.map({ opened($0).labels }), labels.indices.contains(index) else { return nil }
  return UnsafePointer(labels[index])
}

@c @implementation
public func cpt_classify(
  _ model: OpaquePointer?, _ texts: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int,
  _ probabilities: UnsafeMutablePointer<Double>?, _ error: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> Int32 {
  let result: Void? = attempt(error) {
    guard let model else { throw CallError("model is NULL") }
    if count == 0 { return }
    guard let texts, let probabilities else { throw CallError("texts or probabilities is NULL") }
    let all = try (0..<count).map { index in
      guard let text = texts[index] else { throw CallError("text \(index + 1) is NULL") }
      guard let text = String(validatingCString: text) else { throw CallError("text \(index + 1) is not UTF-8") }
      return text
    }
    let answers = try opened(model).model.classify(all)
    for (index, probability) in answers.flatMap(\.probabilities).enumerated() {
      probabilities[index] = probability.probability
    }
  }
  return result == nil ? -1 : 0
}

@c @implementation
public func cpt_complete(
  _ model: OpaquePointer?, _ prompt: UnsafePointer<CChar>?, _ max_tokens: Int32,
  _ error: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> UnsafeMutablePointer<CChar>? {
  attempt(error) {
    guard let model, let prompt else { throw CallError("model or prompt is NULL") }
    guard let text = String(validatingCString: prompt) else { throw CallError("the prompt is not UTF-8") }
    var options = CompletionOptions()
    options.maxTokens = Int(max_tokens)
    return strdup(try opened(model).model.complete(text, options: options).text)
  } ?? nil
}

@c @implementation
public func cpt_free(_ text: UnsafeMutablePointer<CChar>?) { free(text) }

/// A call with wrong arguments.
private struct CallError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
