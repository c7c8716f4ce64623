import Diagnostics
import Glibc

/// The numbers of a first configuration.
struct DraftSizes {
  let validationFraction: Double?
  let testFraction: Double?
  let validationLimit: Int?
  let contextExamples: Int
  let contextReason: String
  let isBalanced: Bool
  let truncates: Bool
  let trainingLimit: Int?
  let batchSize: Int
  let epochs: Int
  let steps: Int
  let evaluationSteps: Int
  let learningRate: Double
  let learningRateReason: String
  /// Whether the most frequent label has over three times the rows of the rarest.
  let isUneven: Bool
  let notes: [String]

  init(data: DataSurvey, siblings: SplitSiblings, model: ModelSurvey?) {
    let rows = Double(data.rows), labels = data.labels.count
    var notes: [String] = []

    // About 200 rows to validate on and 1000 to test on, at most a fifth of the file each.
    validationFraction = siblings.validation == nil ? Self.rounded(min(0.2, 200 / rows), digits: 2) : nil
    testFraction = siblings.test == nil ? Self.rounded(min(0.2, 1000 / rows), digits: 2) : nil
    validationLimit = siblings.validation == nil ? nil : 200
    let left = 1 - (validationFraction ?? 0) - (testFraction ?? 0)
    let trainingRows = Int(rows * left)
    if data.rows < 50 { notes.append("only \(data.rows) rows: results measured on a fifth of them are uncertain") }

    // A few of each label, and an example must still fit the window.
    let wanted = labels * (labels <= 3 ? 4 : labels <= 10 ? 2 : 1)
    let limit = max(1, min(wanted, Self.mostExamples, trainingRows))
    let rarest = Double(data.labels.last?.rows ?? 0) * left, most = Double(data.labels.first?.rows ?? 0)
    isUneven = most > 3 * Double(data.labels.last?.rows ?? 0)
    isBalanced = rarest >= 2 * Double((limit + labels - 1) / labels) + 2
    // A few long texts are truncated rather than taking the room of all others.
    let all = model?.exampleTokens ?? []
    let usual = all.isEmpty ? 0 : all[(all.count - 1) * 19 / 20]
    let lengths = all.map { min($0, usual) }
    let count = Double(max(1, lengths.count)), mean = Double(lengths.reduce(0, +)) / count
    let variance = lengths.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / count
    // Examples drawn at random rarely take more tokens than this.
    func tokens(_ count: Int) -> Int { Int(Double(count) * mean + 3 * (Double(count) * variance).squareRoot()) + 1 }
    let longest = all.last ?? 0
    var bound = limit == Self.mostExamples ? "more make every step slow" : "there are not enough rows"
    if let model {
      let positions = model.positions ?? .max
      let window = positions - min(usual, positions / 2), room = min(window, Self.mostTokens)
      contextExamples = (1...limit).last { tokens($0) <= room } ?? 1
      truncates = longest > positions - tokens(contextExamples)
      let share = Self.share(of: contextExamples, labels), size = Int(Double(contextExamples) * mean)
      contextReason =
        "\(share) of each label, about \(size) tokens" + (model.positions.map { " of the model's \($0)" } ?? "")
      if contextExamples < limit {
        bound =
          window <= Self.mostTokens
          ? "more would leave no room for a row in the model's \(positions) positions"
          : "more would be over \(Self.mostTokens) tokens, which makes every step slow"
      }
    } else {
      contextExamples = limit
      truncates = false
      contextReason = "\(Self.share(of: limit, labels)) of each label; fewer if they do not fit the model's window"
    }

    if contextExamples < wanted {
      notes.append(
        "the context has \(counted(contextExamples, "example")) for \(labels) labels, and not \(wanted): \(bound); "
          + "data.context_examples changes it")
    }

    let trainable = max(1, trainingRows), used = min(trainable, max(200, 10 * labels))
    trainingLimit = used < trainable ? used : nil
    batchSize = min(8, used)
    let stepsPerEpoch = (used + batchSize - 1) / batchSize
    epochs = max(12, (Self.leastSteps + stepsPerEpoch - 1) / stepsPerEpoch)
    steps = epochs * stepsPerEpoch
    evaluationSteps = (steps + 7) / 8

    // AdamW moves each of a token's numbers by about the learning rate in a step.
    learningRate = Self.rounded(Self.distancePerStep / Double(model?.width ?? 2048).squareRoot(), digits: 2)
    learningRateReason =
      "\(Self.distancePerStep) / sqrt(width): what a step moves a token by"
      + (model == nil ? "; for a width of 2048" : "; the model's width is \(model?.width ?? 0)")
    self.notes = notes
  }

  /// A longer context makes every step slow.
  private static let mostTokens = 1000
  private static let mostExamples = 48
  /// A quarter is enough for what a model knows, and a run of it stops early; labels that it must learn anew take them all
  /// (measured; "Choosing settings").
  private static let leastSteps = 124
  /// A compromise between two models on SST-2 and TREC (measured; "Choosing settings").
  private static let distancePerStep = 0.36

  /// A number rounded to this many significant digits.
  private static func rounded(_ value: Double, digits: Int) -> Double {
    let scale = pow(10, Double(digits - 1) - log10(value).rounded(.down))
    return (value * scale).rounded() / scale
  }

  private static func share(of count: Int, _ labels: Int) -> String {
    count >= labels ? String(count / labels) : "fewer than one"
  }
}
