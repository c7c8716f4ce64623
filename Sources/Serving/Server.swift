import ContextTuning
import Diagnostics
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Answers HTTP requests with a tuned model, until the process is told to end.
package struct Server: Sendable {
  /// Where it listens, and its limits.
  package struct Settings: Sendable {
    package var host = "127.0.0.1"
    /// 0: any free port.
    package var port = 8080
    /// What every request but those for the page and for its health must carry; nil: nothing.
    package var token: String?
    package var maximumBodyBytes = 1 << 20
    package var maximumTexts = 256
    /// Most tokens that a completion may ask for.
    package var maximumTokens = 1024
    package var maximumConnections = 1024
    /// Time for a request's body to arrive, and again for its answer.
    package var timeout = Duration.seconds(30)

    package init() {}

    /// Whether only this machine can connect.
    package var isLocal: Bool { Self.isLocal(host) }

    static func isLocal(_ host: some StringProtocol) -> Bool {
      host == "localhost" || host == "::1" || host == "[::1]" || host.hasPrefix("127.")
    }
  }

  private let settings: Settings
  private let routes: Routes
  private let metrics = Metrics()

  package init(_ model: TunedModel, settings: Settings) {
    self.settings = settings
    routes = Routes(model: model, settings: settings, metrics: metrics)
  }

  /// Serves until SIGTERM or SIGINT; requests that have begun are then answered, for at most the time of one.
  ///
  /// - Parameter isListening: called with the port once connections are accepted.
  /// - Throws: `InputError` when the address cannot be used.
  package func run(isListening: @escaping @Sendable (_ port: Int) -> Void) async throws {
    var logger = Logger(label: "cpt") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = .critical
    let channel = HTTP1Channel.Configuration(
      idleTimeout: .seconds(2 * settings.timeout.components.seconds),
      httpDecoderConfiguration: .init(maxHeaderFieldSize: 16384, maxHeaderListSize: 32768, maxHeaderFieldCount: 100))
    let server = try HTTPServerBuilder.http1(configuration: channel).buildServer(
      configuration: .init(
        address: .hostname(settings.host, port: settings.port),
        availableConnectionsDelegate: MaximumConnections(settings.maximumConnections)),
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger,
      responder: { request, writer, channel in
        let response = await respond(to: request, on: channel.eventLoop)
        try await writer.write(response: response.head, body: response.body)
      },
      onServerRunning: { channel in isListening(channel.localAddress?.port ?? settings.port) })
    var configuration = ServiceGroupConfiguration(
      services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    configuration.maximumGracefulShutdownDuration = settings.timeout
    do {
      try await ServiceGroup(configuration: configuration).run()
    } catch {
      throw InputError.failure(
        "\(settings.host):\(settings.port)", "cannot be listened on: \(error); use another --host or --port")
    }
  }

  private func respond(to request: Request, on eventLoop: any EventLoop) async -> Response {
    let start = ContinuousClock.now
    let path = request.uri.path
    var answer: Answer
    do {
      try authorize(request, path)
      answer = try await routes.answer(request, path, on: eventLoop)
    } catch {
      answer = Answer(error)
    }
    metrics.count(
      path: routes.paths.contains(path) ? path : "other", status: answer.status.code, duration: .now - start)
    if request.method == .head { answer.hasBody = false }
    return answer.response
  }

  /// - Throws: `RequestError` for a request that must not be answered.
  private func authorize(_ request: Request, _ path: String) throws {
    // A page of another site could otherwise have the user's browser ask this server, under a name of its own.
    if settings.isLocal, let authority = request.head.authority, !Settings.isLocal(Self.host(of: authority)) {
      throw RequestError(.forbidden, "the host \"\(authority)\" is not this machine's")
    }
    guard let token = settings.token, !routes.isOpen(path) else { return }
    let given = request.headers[.authorization].flatMap { $0.hasPrefix("Bearer ") ? $0.dropFirst(7) : nil }
    guard let given, isEqual(Array(given.utf8), Array(token.utf8)) else {
      throw RequestError(
        .unauthorized, "expected the header \"Authorization: Bearer TOKEN\" with the server's token",
        headers: [.wwwAuthenticate: "Bearer"])
    }
  }

  /// A host without its port.
  private static func host(of authority: String) -> Substring {
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return authority[...end] }
    return authority.prefix { $0 != ":" }
  }

  /// Compares in a time that does not depend on where the first difference is.
  private func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    one.count == other.count && zip(one, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}

/// Keeps further connections waiting while there are as many as may be.
private struct MaximumConnections: AvailableConnectionsDelegate {
  private let limit: Int
  private var count = 0

  init(_ limit: Int) { self.limit = limit }

  mutating func connectionOpened() { count += 1 }
  mutating func connectionClosed() { count -= 1 }
  func isAcceptingNewConnections() -> Bool { count < limit }
}
