import Method
import Testing
import TestSupport

@Suite struct OptimizerTests {
  /// Five recorded steps of torch.optim.
  @Test(arguments: [
    ("adamw", OptimizerKind.adamW, 0.0), ("adamw-decay", .adamW, 0.1), ("sgd", .sgd, 0), ("sgd-decay", .sgd, 0.1),
  ])
  func equalsTorch(name: String, kind: OptimizerKind, weightDecay: Double) throws {
    let tensors = try ParityGoldens().tensors
    var parameters = try tensors.floats("optimizer.start", shape: [5, 3])
    let gradients = try tensors.floats("optimizer.gradients", shape: [5, 5, 3])
    let path = try tensors.floats("optimizer." + name, shape: [5, 5, 3])
    var optimizer = Optimizer(kind: kind, weightDecay: weightDecay, count: 15)
    for step in 0..<5 {
      let range = (15 * step)..<(15 * step + 15)
      optimizer.update(&parameters, gradient: Array(gradients[range]), learningRate: 0.03)
      for (ours, theirs) in zip(parameters, path[range]) { #expect(abs(ours - theirs) < 2e-6) }
    }
  }

  @Test(arguments: ScheduleKind.allCases)
  func schedulesEqualTransformers(kind: ScheduleKind) throws {
    let expected = try #require(ParityGoldens().json["schedules"]?[kind.rawValue]?.array).compactMap(\.number)
    let schedule = LearningRateSchedule(kind: kind, warmupSteps: 3, totalSteps: 12)
    #expect(expected.count == 12)
    for (step, factor) in expected.enumerated() { #expect(abs(schedule.factor(atStep: step) - factor) < 1e-9) }
  }

  @Test func clippingScalesOnlyLongGradients() {
    var long: [Float] = [3, 4], short: [Float] = [0.3, 0.4]
    #expect(clip(&long, toNorm: 1) == 5)
    #expect(abs(long[0] - 0.6) < 1e-6 && abs(long[1] - 0.8) < 1e-6)
    _ = clip(&short, toNorm: 1)
    #expect(short == [0.3, 0.4])
    long = [3, 4]
    #expect(clip(&long, toNorm: nil) == 5 && long == [3, 4])
  }
}
