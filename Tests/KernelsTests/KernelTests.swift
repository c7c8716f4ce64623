import Glibc
import Kernels
import Testing
import TestSupport

private let team = ThreadTeam(threads: 2)

@Suite struct LinearTests {
  @Test(
    arguments: [Weight.Layout.inputMajor, .outputMajor],
    [(3, 5, 7), (129, 33, 65), (17, 301, 2), (200, 31, 70), (130, 301, 110), (130, 110, 301)])
  func equalsTheDefinition(layout: Weight.Layout, sizes: (T: Int, inputs: Int, outputs: Int)) {
    var generator = TestGenerator(seed: 1)
    let x = Matrix(rows: sizes.T, columns: sizes.inputs, values: generator.floats(sizes.T * sizes.inputs))
    let values = generator.floats(sizes.inputs * sizes.outputs)
    let weight = Weight(inputs: sizes.inputs, outputs: sizes.outputs, layout: layout, values: values)
    func element(_ i: Int, _ o: Int) -> Double {
      Double(layout == .inputMajor ? values[i * sizes.outputs + o] : values[o * sizes.inputs + i])
    }
    let y = Matrix(rows: sizes.T, columns: sizes.outputs)
    linear(x, weight, into: y, on: team)
    linear(x, weight, into: y, accumulating: true, on: team)
    var expected: [Float] = []
    for t in 0..<sizes.T {
      for o in 0..<sizes.outputs {
        expected.append(Float(2 * (0..<sizes.inputs).reduce(0.0) { $0 + Double(x[t, $1]) * element($1, o) }))
      }
    }
    #expect(relativeDifference(y.values, expected) < 1e-6)

    // <linear(x), y> = <x, linearBackward(y)>: the backward is the transpose.
    let dx = Matrix(rows: sizes.T, columns: sizes.inputs)
    linearBackward(y, weight, into: dx, on: team)
    let once = Matrix(rows: sizes.T, columns: sizes.outputs)
    linear(x, weight, into: once, on: team)
    #expect(abs(dot(once.values, y.values) / dot(x.values, dx.values) - 1) < 1e-5)
  }

  @Test(arguments: [Weight.Layout.inputMajor, .outputMajor])
  func slicesOfOutputs(layout: Weight.Layout) {
    var generator = TestGenerator(seed: 2)
    let x = Matrix(rows: 4, columns: 6, values: generator.floats(24))
    let weight = Weight(inputs: 6, outputs: 9, layout: layout, values: generator.floats(54))
    let whole = Matrix(rows: 4, columns: 9), part = Matrix(rows: 4, columns: 4)
    linear(x, weight, into: whole, on: team)
    linear(x, weight.outputs(3..<7), into: part, on: team)
    #expect(relativeDifference(part.values, whole.columns(3..<7).values) < 1e-6)
  }
}

extension LinearTests {
  /// Projections that lie side by side are one product, others are not; the numbers are the same.
  @Test(arguments: [Weight.Layout.inputMajor, .outputMajor], [true, false])
  func projectionsOfOneInput(layout: Weight.Layout, isSideBySide: Bool) {
    var generator = TestGenerator(seed: 8)
    let x = Matrix(rows: 5, columns: 7, values: generator.floats(35))
    let fused = Weight(inputs: 7, outputs: 9, layout: layout, values: generator.floats(63))
    let weights = [fused.outputs(0..<4), fused.outputs(4..<9)]
    let all = Matrix(rows: 5, columns: 9)
    let parts =
      isSideBySide
      ? [all.columns(0..<4), all.columns(4..<9)] : [Matrix(rows: 5, columns: 4), Matrix(rows: 5, columns: 5)]
    let projections = zip(weights, parts).map { (weight: $0, values: $1) }
    linear(x, projections, on: team)
    let dx = Matrix(rows: 5, columns: 7), expected = Matrix(rows: 5, columns: 7)
    linearBackward(projections, into: dx, on: team)
    for (index, projection) in projections.enumerated() {
      let alone = Matrix(rows: 5, columns: projection.weight.outputs)
      linear(x, projection.weight, into: alone, on: team)
      #expect(relativeDifference(projection.values.values, alone.values) < 1e-6)
      linearBackward(alone, projection.weight, into: expected, accumulating: index > 0, on: team)
    }
    #expect(relativeDifference(dx.values, expected.values) < 1e-6)
  }
}

@Suite struct NormTests {
  /// Rows of G groups of D numbers.
  @Test(
    arguments: [NormWeights.Kind.layer, .rootMeanSquare],
    [(T: 1, G: 1, D: 5), (3, 1, 16), (7, 3, 37), (40, 1, 100)])
  func forwardAndBackward(kind: NormWeights.Kind, sizes: (T: Int, G: Int, D: Int)) {
    let (T, G, D) = sizes
    var generator = TestGenerator(seed: 3)
    let weights = NormWeights(
      kind, gain: generator.floats(D).map { 1 + $0 }, bias: kind == .layer ? generator.floats(D) : [], epsilon: 1e-2)
    let x = generator.floats(T * G * D, scale: 2)
    let c = generator.floats(T * G * D)
    func forward(_ x: [Float]) -> (y: Matrix, statistics: Matrix) {
      let y = Matrix(rows: T, columns: G * D), statistics = Matrix(rows: T, columns: 2 * G)
      norm(Matrix(rows: T, columns: G * D, values: x), weights, into: y, statistics: statistics, on: team)
      return (y, statistics)
    }
    let (y, statistics) = forward(x)
    for t in 0..<(T * G) {
      let row = x[(t * D)..<((t + 1) * D)].map(Double.init)
      let mean = kind == .layer ? row.reduce(0, +) / Double(D) : 0
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(D)
      for j in 0..<D {
        let bias = kind == .layer ? Double(weights.bias[j]) : 0
        let expected = (row[j] - mean) / (variance + 1e-2).squareRoot() * Double(weights.gain[j]) + bias
        #expect(abs(Double(y.values[t * D + j]) - expected) < 1e-5)
      }
    }
    let start = generator.floats(T * G * D)
    let dx = Matrix(rows: T, columns: G * D, values: start)
    normBackward(
      Matrix(rows: T, columns: G * D, values: c), x: Matrix(rows: T, columns: G * D, values: x), weights,
      statistics: statistics, addingTo: dx, on: team)
    let gradient = zip(dx.values, start).map { $0 - $1 }
    #expect(gradientError(at: x, gradient: gradient) { dot(forward($0).y.values, c) } < 2e-3)
  }
}

@Suite struct ActivationTests {
  @Test(arguments: [Activation.geluTanh, .gelu, .relu, .silu])
  func forwardAndBackward(activation: Activation) {
    let T = 3, F = 37
    var generator = TestGenerator(seed: 4)
    // Kept away from 0, where ReLU has no derivative.
    let inputs = generator.floats(T * F, scale: 4).map { abs($0) < 0.2 ? $0 + 0.5 : $0 }
    let bias = generator.floats(F)
    let x = inputs.enumerated().map { $1 - bias[$0 % F] }
    let c = generator.floats(T * F)
    func forward(_ x: [Float]) -> Matrix {
      let y = Matrix(rows: T, columns: F)
      biasAndActivation(Matrix(rows: T, columns: F, values: x), bias: bias, activation, into: y, on: team)
      return y
    }
    for (value, input) in zip(forward(x).values, inputs) {
      let x = Double(input)
      let expected =
        switch activation {
        case .geluTanh: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
        case .gelu: 0.5 * x * (1 + erf(x / 2.0.squareRoot()))
        case .relu: max(x, 0)
        case .silu: x / (1 + exp(-x))
        }
      #expect(abs(Double(value) - expected) < 2e-6)
    }
    let dx = Matrix(rows: T, columns: F, values: c)
    activationBackward(dx, x: Matrix(rows: T, columns: F, values: x), bias: bias, activation, on: team)
    #expect(gradientError(at: x, gradient: dx.values) { dot(forward($0).values, c) } < 2e-3)
  }
}

extension ActivationTests {
  @Test(arguments: [Activation.geluTanh, .gelu, .relu, .silu])
  func gated(activation: Activation) {
    let T = 3, F = 37
    var generator = TestGenerator(seed: 9)
    let gate = generator.floats(T * F, scale: 4).map { abs($0) < 0.2 ? $0 + 0.5 : $0 }
    let x = generator.floats(T * F), c = generator.floats(T * F)
    func matrix(_ values: some Sequence<Float>) -> Matrix { Matrix(rows: T, columns: F, values: Array(values)) }
    func forward(_ both: [Float]) -> Matrix {
      let y = matrix(repeatElement(0, count: T * F))
      gatedActivation(gate: matrix(both.prefix(T * F)), matrix(both.suffix(T * F)), activation, into: y, on: team)
      return y
    }
    let activated = matrix(gate)
    biasAndActivation(activated, bias: [], activation, into: activated, on: team)
    #expect(relativeDifference(forward(gate + x).values, zip(activated.values, x).map { $0 * $1 }) < 1e-6)
    let dGate = matrix(c), dx = matrix(c)
    gatedActivationBackward(matrix(c), gate: matrix(gate), matrix(x), activation, dGate: dGate, dx: dx, on: team)
    let gradient = dGate.values + dx.values
    #expect(gradientError(at: gate + x, gradient: gradient) { dot(forward($0).values, c) } < 2e-3)
  }

  @Test func softCapBendsLargeNumbers() {
    let T = 3, F = 21, cap: Float = 1.5
    var generator = TestGenerator(seed: 10)
    let x = generator.floats(T * F, scale: 5), c = generator.floats(T * F)
    func forward(_ x: [Float]) -> Matrix {
      let y = Matrix(rows: T, columns: F, values: x)
      softCap(y, at: cap, on: team)
      return y
    }
    let y = forward(x)
    for (value, input) in zip(y.values, x) {
      #expect(abs(Double(value) - 1.5 * tanh(Double(input) / 1.5)) < 1e-6)
    }
    let dx = Matrix(rows: T, columns: F, values: c)
    softCapBackward(dx, capped: y, at: cap, on: team)
    #expect(gradientError(at: x, gradient: dx.values) { dot(forward($0).values, c) } < 2e-3)
  }
}

@Suite struct RotaryTests {
  /// 2 heads of 43 numbers, of which the first `size` are turned: whole vectors and a rest.
  @Test(arguments: [Rotary.Pairing.halves, .neighbours], [2, 6, 42])
  func turnsPairsByTheirAngle(pairing: Rotary.Pairing, size: Int) {
    let T = 3, head = 43
    var generator = TestGenerator(seed: 11)
    let frequencies = (0..<(size / 2)).map { 1 / Float($0 + 1) }
    let angles = RotaryAngles(
      Rotary(inverseFrequencies: frequencies, pairing: pairing, factor: 1.3), positions: [0, 4, 9], in: Workspace(),
      on: team)
    let x = generator.floats(T * 2 * head), c = generator.floats(T * 2 * head)
    let y = Matrix(rows: T, columns: 2 * head, values: x)
    rotate(y, headSize: head, by: angles, on: team)
    for t in 0..<T {
      for start in [0, head] {
        for j in 0..<head where j >= size { #expect(y[t, start + j] == x[t * 2 * head + start + j]) }
        for i in 0..<(size / 2) {
          let (first, second) = pairing == .halves ? (i, i + size / 2) : (2 * i, 2 * i + 1)
          let a = Double(x[t * 2 * head + start + first]), b = Double(x[t * 2 * head + start + second])
          let angle = Double([0, 4, 9][t]) * Double(frequencies[i])
          #expect(abs(Double(y[t, start + first]) - 1.3 * (a * cos(angle) - b * sin(angle))) < 1e-5)
          #expect(abs(Double(y[t, start + second]) - 1.3 * (b * cos(angle) + a * sin(angle))) < 1e-5)
        }
      }
    }
    // <rotate(x), c> = <x, rotateBackward(c)>.
    let dx = Matrix(rows: T, columns: 2 * head, values: c)
    rotateBackward(dx, headSize: head, by: angles, on: team)
    #expect(abs(dot(y.values, c) - dot(x, dx.values)) < 1e-4)
  }
}

@Suite struct CrossEntropyTests {
  @Test(arguments: [5, 16, 101])
  func forwardAndBackward(V: Int) {
    var generator = TestGenerator(seed: 5)
    let R = 4
    let logits = generator.floats(R * V, scale: 3)
    // Row 1 predicts nothing, row 2 has two targets.
    let targets = [
      Target(row: 0, token: 1, weight: 0.7), Target(row: 2, token: V - 1, weight: 1.5),
      Target(row: 2, token: 0, weight: 0.2),
      Target(row: 3, token: 3, weight: -0.4),
    ]
    func scores(_ logits: [Float], _ matrix: Matrix? = nil) -> [TargetScore] {
      let matrix = matrix ?? Matrix(rows: R, columns: V, values: logits)
      return crossEntropy(matrix, targets, of: VocabularyPart(whole: matrix.columns), gradient: true, on: team)
    }
    let matrix = Matrix(rows: R, columns: V, values: logits)
    let found = scores(logits, matrix)
    for (target, score) in zip(targets, found) {
      let row = logits[(target.row * V)..<((target.row + 1) * V)].map(Double.init)
      let expected = row[target.token] - log(row.reduce(0) { $0 + exp($1) })
      #expect(abs(Double(score.logProbability) - expected) < 1e-5)
      #expect(score.isMostProbable == (row[target.token] == row.max()))
    }
    let error = gradientError(at: logits, gradient: matrix.values) { logits in
      zip(targets, scores(logits)).reduce(0) { $0 - Double($1.0.weight) * Double($1.1.logProbability) }
    }
    #expect(error < 2e-3)
  }

  @Test func ofNonFiniteLogitsIsNotFinite() {
    let matrix = Matrix(rows: 1, columns: 20, values: [Float](repeating: 0, count: 19) + [.nan])
    #expect(
      !crossEntropy(
        matrix, [Target(row: 0, token: 2)], of: VocabularyPart(whole: matrix.columns), gradient: false, on: team)[0]
        .logProbability.isFinite)
  }
}

@Suite struct RowTests {
  @Test func scatterAddIsTheTransposeOfGather() {
    var generator = TestGenerator(seed: 6)
    let x = Matrix(rows: 9, columns: 19, values: generator.floats(9 * 19))
    let y = Matrix(rows: 4, columns: 19, values: generator.floats(4 * 19))
    let rows = [7, 0, 3, 7]
    let gathered = Matrix(rows: 4, columns: 19)
    gather(x, rows: rows, into: gathered, on: team)
    #expect(gathered[1, 5] == x[0, 5] && gathered[3, 18] == x[7, 18])
    let back = Matrix(rows: 9, columns: 19)
    scatterAdd(y, rows: rows, into: back, on: team)
    #expect(abs(dot(gathered.values, y.values) - dot(x.values, back.values)) < 1e-4)
  }

  @Test func workspaceReusesItsMemory() {
    let workspace = Workspace()
    let mark = workspace.mark
    let first = workspace.matrix(3, 5)
    let second = workspace.matrix(2, 2)
    first.fill(1)
    second.fill(2)
    #expect(first.values == [Float](repeating: 1, count: 15))
    #expect(second.values == [2, 2, 2, 2])
    // More than a chunk: elsewhere, and what was handed out stays.
    let large = workspace.matrix(9000, 8000).rows(0..<1)
    large.fill(3)
    #expect(first.values == [Float](repeating: 1, count: 15) && second.values == [2, 2, 2, 2])
    let peak = workspace.peak
    workspace.release(to: mark)
    #expect(workspace.matrix(3, 5).base == first.base)
    #expect(workspace.matrix(9000, 8000).base == large.base)
    #expect(workspace.peak == peak)
  }
}
