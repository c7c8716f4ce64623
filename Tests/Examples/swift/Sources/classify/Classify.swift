import ContextTuning

/// Trains a configuration, and labels the lines of standard input: classify CONFIG OUTPUT
@main
struct Classify {
  static func main() async throws {
    let words = CommandLine.arguments.dropFirst()
    guard let configuration = words.first, let output = words.dropFirst().first else {
      print("usage: classify CONFIG OUTPUT < texts")
      return
    }
    let summary = try Training(
      configuration: configuration, output: output, settings: ["training.max_steps": "5"]
    ).run(earlier: .overwrite)
    let model = try TunedModel(checkpoint: summary.checkpoint)
    while let text = readLine() {
      let answer = try await model.classify(text)
      print("\(answer.label)\t\(text)")
    }
  }
}
