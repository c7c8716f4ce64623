import Diagnostics
import Glibc
import Kernels

/// The `head` section: the classifier on hidden states of the method `head`.
package struct HeadConfiguration: Sendable, Equatable {
  package var classifier = ClassifierHead.Kind.ridge
  /// Whether the context's examples precede a row.
  package var showsContext = false
  /// Strength of the ridge; nil: chosen by leaving rows out.
  package var strength: Double?

  package init() {}
}

/// A linear classifier on the frozen model's hidden states: P = softmax(temperature · (weight · z + bias)).
///
/// z = (x - mean) / deviation, x [width] the hidden state of the token before a row's label.
package struct ClassifierHead: Sendable, Equatable {
  package enum Kind: String, CaseIterable, Sendable {
    /// Ridge regression of one-hot labels.
    case ridge
    /// The label of the nearest mean.
    case centroid
  }

  /// The labels it was fitted to, each with at least one row.
  package let labels: [String]
  /// [labels, width], row by row.
  package let weight: [Float]
  /// [labels].
  package let bias: [Float]
  /// Mean of the fitted rows, [width].
  package let mean: [Float]
  /// Their standard deviation, [width]; a dimension with 0 does not count.
  package let deviation: [Float]
  package let fit: Fit
  /// The numbers that were fitted: weight and bias.
  package var parameterCount: Int { weight.count + bias.count }
  /// The place of each candidate label among `labels`; nil for one that it was not fitted to.
  private var places: [Int?]

  /// How it was fitted.
  package struct Fit: Sendable, Equatable {
    package let kind: Kind
    /// Number of fitted rows.
    package let rows: Int
    /// Strength of the ridge; nil for another classifier.
    package let strength: Double?
    package let temperature: Double
    /// Share of the rows that are predicted correctly without themselves.
    package let leaveOneOutAccuracy: Double

    package init(kind: Kind, rows: Int, strength: Double?, temperature: Double, leaveOneOutAccuracy: Double) {
      self.kind = kind
      self.rows = rows
      self.strength = strength
      self.temperature = temperature
      self.leaveOneOutAccuracy = leaveOneOutAccuracy
    }
  }

  /// - Precondition: the lists have the lengths that they are documented with.
  package init(
    labels: [String], weight: [Float], bias: [Float], mean: [Float], deviation: [Float], fit: Fit
  ) {
    precondition(bias.count == labels.count && weight.count == labels.count * mean.count)
    precondition(deviation.count == mean.count)
    self.labels = labels
    self.weight = weight
    self.bias = bias
    self.mean = mean
    self.deviation = deviation
    self.fit = fit
    places = Array(labels.indices)
  }

  /// The width of hidden states.
  package var width: Int { mean.count }

  /// The same for candidates in this order; nil if a label of its own is not among them.
  package func arranged(for candidates: [String]) -> ClassifierHead? {
    // Not by ==, for which labels in other Unicode forms are equal.
    func place(of label: String, in list: [String]) -> Int? {
      list.firstIndex { $0.utf8.elementsEqual(label.utf8) }
    }
    guard labels.allSatisfy({ place(of: $0, in: candidates) != nil }) else { return nil }
    var copy = self
    copy.places = candidates.map { place(of: $0, in: labels) }
    return copy
  }

  /// log P of each candidate for a hidden state [width], in nats.
  ///
  /// A label that it was not fitted to gets the lowest score of the others.
  package func logProbabilities(of state: some Collection<Float>) -> [Double] {
    precondition(state.count == width, "a state of \(state.count) numbers, expected \(width)")
    let z = zip(state, zip(mean, deviation)).map { x, scale in
      scale.1 > 0 ? (Double(x) - Double(scale.0)) / Double(scale.1) : 0
    }
    let own = labels.indices.map { label in
      z.indices.reduce(Double(bias[label])) { $0 + Double(weight[label * width + $1]) * z[$1] }
    }
    let lowest = own.min() ?? 0
    return logSoftmax(places.map { fit.temperature * ($0.map { own[$0] } ?? lowest) })
  }
}

/// log softmax of scores, in nats.
private func logSoftmax(_ scores: some Collection<Double>) -> [Double] {
  let largest = scores.max() ?? 0
  let total = log(scores.reduce(0) { $0 + exp($1 - largest) })
  return scores.map { $0 - largest - total }
}

/// Rows to fit a classifier to: hidden states in units of their spread, and classes.
package struct HiddenStates: Sendable {
  /// z, [rows, width], row by row: each dimension has mean 0 and standard deviation 1, or is 0.
  package let values: [Double]
  package let rows: Int
  package let width: Int
  let mean: [Double]
  let deviation: [Double]
  /// The class of each row, from 0 without gaps.
  let classes: [Int]
  let classCount: Int

  /// Measures the spread of rows, `states` [rows, width], row by row, of these classes; nil when a state is not finite.
  package init?(_ states: [Float], classes: [Int]) {
    precondition(
      !classes.isEmpty && states.count % classes.count == 0, "\(states.count) numbers, \(classes.count) rows")
    guard states.allSatisfy(\.isFinite) else { return nil }
    let rows = classes.count, width = states.count / rows
    var mean = [Double](repeating: 0, count: width), variance = mean
    for row in 0..<rows { for column in 0..<width { mean[column] += Double(states[row * width + column]) } }
    for column in 0..<width { mean[column] /= Double(rows) }
    var values = [Double](repeating: 0, count: rows * width)
    for row in 0..<rows {
      for column in 0..<width {
        let distance = Double(states[row * width + column]) - mean[column]
        values[row * width + column] = distance
        variance[column] += distance * distance
      }
    }
    // Rounded as it is stored, so that a row has the same z when it is predicted.
    let deviation = variance.map { Double(Float(($0 / Double(rows)).squareRoot())) }
    for row in 0..<rows {
      for column in 0..<width {
        values[row * width + column] = deviation[column] > 0 ? values[row * width + column] / deviation[column] : 0
      }
    }
    self.values = values
    self.rows = rows
    self.width = width
    self.mean = mean
    self.deviation = deviation
    self.classes = classes
    classCount = (classes.max() ?? 0) + 1
  }

  /// Number of rows of each class.
  var counts: [Int] {
    classes.reduce(into: [Int](repeating: 0, count: classCount)) { $0[$1] += 1 }
  }
}

/// A linear classifier of classes, with its score of each row without that row.
package struct LinearFit {
  /// [classes, width], row by row.
  package let weight: [Double]
  /// [classes].
  package let bias: [Double]
  /// [rows, classes]; nil for a row whose class has no other row to learn from.
  package let leaveOneOut: [[Double]?]

  package init(weight: [Double], bias: [Double], leaveOneOut: [[Double]?]) {
    self.weight = weight
    self.bias = bias
    self.leaveOneOut = leaveOneOut
  }

  /// Share of the rows whose own class has the highest score without them.
  package func accuracy(of classes: [Int]) -> Double {
    let right = zip(leaveOneOut, classes).count { scores, label in
      scores.map { scores in scores.indices.allSatisfy { $0 == label || scores[$0] < scores[label] } } ?? false
    }
    return Double(right) / Double(classes.count)
  }

  /// Sum over rows and classes of (one-hot target - score without the row)².
  package func squaredError(of classes: [Int]) -> Double {
    zip(leaveOneOut, classes).reduce(0) { sum, row in
      (row.0 ?? []).enumerated().reduce(sum) { $0 + pow(($1.offset == row.1 ? 1 : 0) - $1.element, 2) }
    }
  }

  /// The temperature of the smallest log loss of the rows, each without itself.
  ///
  /// Targets are smoothed by a share 1 / (rows + 1), as if one more row had every class: rows that are all predicted
  /// correctly would choose the highest temperature there is (Platt 1999).
  package func temperature(of classes: [Int]) -> Double {
    let rows = zip(leaveOneOut, classes).compactMap { scores, label in scores.map { ($0, label) } }
    let smoothing = 1 / Double(rows.count + 1)
    func loss(_ temperature: Double) -> Double {
      rows.reduce(0) { sum, row in
        let logs = logSoftmax(row.0.map { $0 * temperature })
        return sum - (1 - smoothing) * logs[row.1] - smoothing * logs.reduce(0, +) / Double(logs.count)
      }
    }
    // Factors of 10^(1/4) around 1.
    let grid = (0...20).map { pow(10, Double($0 - 4) / 4) }
    return grid.map { (temperature: $0, loss: loss($0)) }.min { $0.loss < $1.loss }?.temperature ?? 1
  }
}

/// Ridge regression of centred one-hot targets on z, for any strength, from one eigen-decomposition.
///
/// With Z [n, D] and Y [n, classes], the smaller of Z Zᵀ and Zᵀ Z gives B [n, r] and λ with Z Zᵀ = B Bᵀ, Bᵀ B = diag(λ):
///
///     fitted = B (diag(λ) + s)⁻¹ Bᵀ Y + mean(Y)
///     h_i = 1/n + Σ_k B_ik² / (λ_k + s)
///     without row i: y_i - (y_i - fitted_i) / (1 - h_i)
///
/// The last line is exact for this intercept, z fixed (Allen 1974, PRESS).
package struct RidgeRegression {
  private let states: HiddenStates
  /// B, [n, r], row by row.
  private let factor: [Double]
  /// λ, [r].
  private let values: [Double]
  /// Bᵀ Y, [r, classes].
  private let projected: [Double]
  /// What turns coefficients c [r, classes] into weights [D, classes]: V [r, D] of Zᵀ Z = Vᵀ diag(λ) V, or nil: B's own
  /// vectors, weights = Zᵀ Q c / √λ.
  private let directions: [Double]
  /// Share of each class.
  private let shares: [Double]

  /// nil when LAPACK's iteration does not converge.
  package init?(_ states: HiddenStates) {
    let n = states.rows, D = states.width, C = states.classCount
    self.states = states
    shares = states.counts.map { Double($0) / Double(n) }
    var targets = [Double](repeating: 0, count: n * C)
    for row in 0..<n {
      for label in 0..<C { targets[row * C + label] = (states.classes[row] == label ? 1 : 0) - shares[label] }
    }
    let isDual = n <= D, size = min(n, D)
    let square =
      isDual
      ? product(m: n, n: n, k: D, states.values, states.values, transposedB: true)
      : product(m: D, n: D, k: n, states.values, transposedA: true, states.values)
    guard let eigen = SymmetricEigenvectors(of: square, size: size) else { return nil }
    // Rounding makes zeros negative.
    values = eigen.values.map { max($0, 0) }
    if isDual {
      // B = Q √λ; the directions are Zᵀ Q / √λ, so that weights are Zᵀ Q c / √λ with c = √λ Qᵀ Y / (λ + s).
      var factor = [Double](repeating: 0, count: n * n)
      for row in 0..<n { for k in 0..<n { factor[row * n + k] = eigen.rows[k * n + row] * values[k].squareRoot() } }
      self.factor = factor
      var directions = product(m: n, n: D, k: n, eigen.rows, states.values)
      for k in 0..<n {
        let length = values[k].squareRoot()
        for column in 0..<D { directions[k * D + column] = length > 0 ? directions[k * D + column] / length : 0 }
      }
      self.directions = directions
    } else {
      factor = product(m: n, n: D, k: D, states.values, eigen.rows, transposedB: true)
      directions = eigen.rows
    }
    projected = product(m: size, n: C, k: n, factor, transposedA: true, targets)
  }

  /// The regression of a strength relative to the mean diagonal of Z Zᵀ.
  package func fit(strength: Double) -> LinearFit {
    let n = states.rows, D = states.width, C = states.classCount, r = values.count
    let trace = values.reduce(0, +)
    let absolute = strength * (trace > 0 ? trace / Double(n) : 1)
    var coefficients = projected
    for k in 0..<r { for label in 0..<C { coefficients[k * C + label] /= values[k] + absolute } }
    let fitted = product(m: n, n: C, k: r, factor, coefficients)
    let leaveOneOut = (0..<n).map { row in
      let leverage = (0..<r).reduce(1 / Double(n)) { sum, k in
        sum + factor[row * r + k] * factor[row * r + k] / (values[k] + absolute)
      }
      return (0..<C).map { label in
        let target = states.classes[row] == label ? 1.0 : 0
        return target - (target - shares[label] - fitted[row * C + label]) / max(1 - leverage, 1e-12)
      }
    }
    return LinearFit(
      weight: product(m: C, n: D, k: r, coefficients, transposedA: true, directions), bias: shares,
      leaveOneOut: leaveOneOut)
  }

  /// The strengths to choose from: 10^-3 to 10^3 by factors of √10.
  package static let strengths = (0...12).map { pow(10, Double($0 - 6) / 2) }

  /// The strength that predicts most rows correctly without themselves; of several, the one of least squared error.
  package func best() -> (strength: Double, fit: LinearFit) {
    let fits = Self.strengths.map { strength in
      let fit = fit(strength: strength)
      return (
        strength, fit, accuracy: fit.accuracy(of: states.classes), error: fit.squaredError(of: states.classes)
      )
    }
    let best = fits.dropFirst().reduce(fits[0]) { best, other in
      (other.accuracy, -other.error) > (best.accuracy, -best.error) ? other : best
    }
    return (best.0, best.1)
  }
}

/// The classifier of the nearest mean: score_c = -‖z - mean_c‖² / D, up to ‖z‖² / D, which all classes share.
package func nearestCentroid(_ states: HiddenStates) -> LinearFit {
  let D = states.width, C = states.classCount, counts = states.counts
  var centroids = [Double](repeating: 0, count: C * D)
  for row in 0..<states.rows {
    for column in 0..<D { centroids[states.classes[row] * D + column] += states.values[row * D + column] }
  }
  for label in 0..<C { for column in 0..<D { centroids[label * D + column] /= Double(counts[label]) } }
  let leaveOneOut = (0..<states.rows).map { row -> [Double]? in
    let own = states.classes[row], count = Double(counts[own])
    if count < 2 { return nil }
    return (0..<C).map { label in
      let distance = (0..<D).reduce(0.0) { sum, column in
        let difference = states.values[row * D + column] - centroids[label * D + column]
        return sum + difference * difference
      }
      // Without the row, its own class's mean is farther from it: z - mean grows by count / (count - 1).
      return -distance / Double(D) * (label == own ? pow(count / (count - 1), 2) : 1)
    }
  }
  return LinearFit(
    weight: centroids.map { 2 * $0 / Double(D) },
    bias: (0..<C).map { label in
      -(0..<D).reduce(0.0) { $0 + centroids[label * D + $1] * centroids[label * D + $1] } / Double(D)
    }, leaveOneOut: leaveOneOut)
}

extension ClassifierHead {
  /// Fits a classifier to hidden states.
  ///
  /// - Parameters:
  ///   - states: [rows, width], row by row.
  ///   - rowLabels: the label of each row, as an index into `labels`.
  ///   - labels: all labels, of which some may have no row.
  ///   - configuration: the classifier.
  /// - Throws: `InputError.badData` when all rows have one label, or when the states are not finite.
  package init(
    fitting states: [Float], labels rowLabels: [Int], of labels: [String], _ configuration: HeadConfiguration
  ) throws {
    let present = Set(rowLabels).sorted()
    guard present.count > 1 else {
      throw InputError.badData(
        "training.method",
        "\"head\" needs rows of at least two labels to learn from; "
          + (present.first.map { "all have the label \(quoted(labels[$0]))" } ?? "there are none")
          + "; use more rows, or other ones (training.seed)")
    }
    if let twice = labels.indices.first(where: { index in
      labels[..<index].contains { $0.utf8.elementsEqual(labels[index].utf8) }
    }) {
      throw InputError.badData(
        "training.method",
        "\"head\" tells labels apart by their text, and the tokens of two labels both read \(quoted(labels[twice])); use rows of "
          + "text")
    }
    let places = Dictionary(uniqueKeysWithValues: present.enumerated().map { ($1, $0) })
    let classes = rowLabels.compactMap { places[$0] }
    guard let hidden = HiddenStates(states, classes: classes) else {
      throw InputError.badData(
        "training.method", "\"head\": the model's hidden states are not finite; check its weights")
    }
    let linear: LinearFit, strength: Double?
    switch configuration.classifier {
    case .centroid: (strength, linear) = (nil, nearestCentroid(hidden))
    case .ridge:
      guard let ridge = RidgeRegression(hidden) else {
        throw InputError.badData(
          "head.classifier", "\"ridge\": the eigenvalues of the hidden states do not converge; use \"centroid\"")
      }
      if let given = configuration.strength {
        (strength, linear) = (given, ridge.fit(strength: given))
      } else {
        (strength, linear) = ridge.best()
      }
    }
    // The mean is stored in single precision; the bias takes the difference.
    let mean = hidden.mean.map(Float.init), width = hidden.width
    let shift = (0..<width).map {
      hidden.deviation[$0] > 0 ? (Double(mean[$0]) - hidden.mean[$0]) / hidden.deviation[$0] : 0
    }
    let bias = linear.bias.indices.map { label in
      (0..<width).reduce(linear.bias[label]) { $0 + linear.weight[label * width + $1] * shift[$1] }
    }
    self.init(
      labels: present.map { labels[$0] }, weight: linear.weight.map(Float.init), bias: bias.map(Float.init), mean: mean,
      deviation: hidden.deviation.map(Float.init),
      fit: Fit(
        kind: configuration.classifier, rows: hidden.rows, strength: strength,
        temperature: linear.temperature(of: classes), leaveOneOutAccuracy: linear.accuracy(of: classes)))
  }
}
