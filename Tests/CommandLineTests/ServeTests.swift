import FileFormats
import Foundation
import FoundationNetworking
import System
import Testing
import TestSupport

/// `cpt serve` over a checkpoint it trained.
@Suite struct ServeTests {
  /// A running server.
  private final class Server: @unchecked Sendable {
    let process = Process()
    let port: Int
    private let errors = Pipe()

    init(_ flags: [String] = [], in folder: String) throws {
      process.executableURL = URL(fileURLWithPath: Program.path)
      process.arguments = ["serve", "--checkpoint", "run/best", "--port", "0"] + flags
      process.currentDirectoryURL = URL(fileURLWithPath: folder)
      process.standardError = errors
      try process.run()
      var text = ""
      while !text.hasSuffix("\n") || !text.contains("listening") {
        let data = errors.fileHandleForReading.availableData
        if data.isEmpty { break }
        text += String(decoding: data, as: UTF8.self)
      }
      let number = text.split(separator: "\n").last?.split(separator: ":").last.flatMap { Int($0) }
      port = try #require(number, "\(text)")
    }

    /// Tells it to end; its exit status.
    func end() -> Int32 {
      process.terminate()
      process.waitUntilExit()
      return process.terminationStatus
    }

    struct Answer {
      let status: Int
      let text: String
      let headers: [String: String]
      func json() throws -> JSON { try JSON(parsing: Array(text.utf8), file: "answer") }
    }

    func ask(
      _ path: String, _ body: String? = nil, method: String? = nil, headers: [String: String] = [:]
    ) async throws -> Answer {
      var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
      request.httpMethod = method ?? (body == nil ? "GET" : "POST")
      request.httpBody = body.map { Data($0.utf8) }
      if body != nil { request.setValue("application/json", forHTTPHeaderField: "Content-Type") }
      for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
      let (data, response) = try await URLSession.shared.data(for: request)
      let http = try #require(response as? HTTPURLResponse)
      return Answer(
        status: http.statusCode, text: String(decoding: data, as: UTF8.self),
        headers: Dictionary(
          uniqueKeysWithValues: http.allHeaderFields.map { ("\($0.key)".lowercased(), "\($0.value)") }))
    }

    /// Sends bytes as they are; the beginning of the answer.
    func send(_ bytes: String) throws -> String {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(descriptor) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(port).bigEndian
      address.sin_addr.s_addr = inet_addr("127.0.0.1")
      let isConnected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      try #require(isConnected == 0)
      _ = Array(bytes.utf8).withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
      var buffer = [UInt8](repeating: 0, count: 2000)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
  }

  private func withServer(_ flags: [String] = [], _ body: (Server, _ folder: String) async throws -> Void) async throws
  {
    try await withTemporaryFolder { folder in
      let example = WorkingExample(in: folder)
      try example.write()
      #expect(try example.trainRun().status == 0)
      let server = try Server(flags, in: folder)
      defer { if server.process.isRunning { server.process.terminate() } }
      try await body(server, folder)
    }
  }

  @Test func answersAreThoseOfPredict() async throws {
    try await withServer { server, folder in
      let texts = WorkingExample(in: folder).train.map(\.0)
      let predicted = try Program.run(
        ["predict", "--checkpoint", "run/best", "--data", "-", "--json"], in: folder,
        input: Array(texts.joined(separator: "\n").utf8))
      let expected = try predicted.output.split(separator: "\n").map { try JSON(parsing: Array($0.utf8), file: "p") }
      // Many at a time, each its own answer.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in 0..<64 {
          group.addTask {
            let own = [index % 16, (index + 5) % 16]
            let body = JSON.object([.init("input", .array(own.map { .string(texts[$0]) }))])
            let answer = try await server.ask("/v1/classify", body.compact)
            #expect(answer.status == 200, "\(answer.text)")
            let data = try #require(try answer.json()["data"]?.array)
            #expect(data.count == 2)
            for (found, row) in zip(data, own) {
              #expect(found["label"] == expected[row]["prediction"])
              let probability = try #require(found["probability"]?.number)
              #expect(abs(probability - (expected[row]["probability"]?.number ?? 0)) < 1e-5)
              #expect(found["probabilities"]?.object?.map(\.key) == ["billing", "delivery"])
            }
          }
        }
        try await group.waitForAll()
      }
      let metrics = try await server.ask("/metrics").text
      #expect(metrics.contains("cpt_requests_total{path=\"/v1/classify\",status=\"200\"} 64\n"))
      #expect(metrics.contains("\ncpt_texts_total 128\n") && metrics.contains("\ncpt_waiting_texts 0\n"))
      #expect(metrics.contains("cpt_request_seconds_count{path=\"/v1/classify\"} 64\n"))
      let health = try await server.ask("/health").json()
      #expect(health["status"]?.string == "ok" && health["labels"]?.array?.count == 2)
      let page = try await server.ask("/")
      #expect(page.headers["content-type"] == "text/html; charset=utf-8" && page.text.contains("v1/classify"))
      // A single text is a list of one.
      let one = try await server.ask("/v1/classify", #"{"input": "refund me"}"#).json()
      #expect(one["data"]?.array?.count == 1)

      let generated = try Program.run(
        ["generate", "--checkpoint", "run/best", "--prompt", "refund me", "--max-tokens", "4", "--json"], in: folder)
      for _ in 0..<2 {
        let completion = try await server.ask("/v1/completions", #"{"prompt": "refund me", "max_tokens": 4}"#).json()
        #expect(try completion["choices"]?.array?[0]["text"] == generated.json()["text"])
        #expect(completion["usage"]?["completion_tokens"]?.integer == (try generated.json()["tokens"]?.array?.count))
      }
      #expect(server.end() == 0)
    }
  }

  @Test func wrongRequestsGetTheirStatus() async throws {
    try await withServer(["--max-texts", "3", "--max-body", "2000", "--max-waiting", "2"]) { server, folder in
      let long = String(repeating: "word ", count: 300)
      for (path, body, status, message) in [
        ("/v1/classify", #"{"input": 3}"#, 400, "\"input\": expected a text or a list of texts"),
        ("/v1/classify", #"{"input": ["a", null]}"#, 400, "\"input\": expected a text or a list"),
        ("/v1/classify", #"{"input": []}"#, 400, "expected 1 to 3 texts, found 0"),
        ("/v1/classify", #"{"input": ["a", "b", "c", "d"]}"#, 400, "expected 1 to 3 texts, found 4"),
        ("/v1/classify", #"{"input": ["a", "b", "c"]}"#, 429, "too many texts wait"),
        ("/v1/classify", #"{"input": ["a", "\#(long)"]}"#, 400, "text 2: context"),
        ("/v1/classify", #"{"text": "a"}"#, 400, "unknown key \"text\"; expected \"input\""),
        ("/v1/classify", #"{"input": "a""#, 400, "malformed JSON"), ("/v1/classify", "[]", 400, "expected an object"),
        ("/v1/classify", #"{"input": "\#(long)\#(long)"}"#, 413, "larger than 2000 bytes"),
        ("/v1/completions", "{}", 400, "\"prompt\": expected a text"),
        ("/v1/completions", #"{"prompt": "a", "max_tokens": 0}"#, 400, "\"max_tokens\": expected"),
        ("/v1/completions", #"{"prompt": "a", "stream": true}"#, 400, "\"stream\": expected false"),
        ("/v1/completions", #"{"prompt": "a", "temperature": -1}"#, 400, "\"temperature\": expected"),
        ("/v1/completions", #"{"prompt": " "}"#, 400, "the text is empty"), ("/v2", "{}", 404, "nothing at \"/v2\""),
        ("/health", "{}", 405, "/health takes GET, not POST"),
      ] {
        let answer = try await server.ask(path, body)
        #expect(answer.status == status, "\(path) \(body.prefix(60)): \(answer.text)")
        let error = try answer.json()["error"]
        #expect(error?["message"]?.string?.contains(message) == true, "\(answer.text)")
        #expect(error?["code"]?.integer == status)
      }
      #expect(try await server.ask("/v1/classify").headers["allow"] == "POST")
      let plain = try await server.ask(
        "/v1/classify", #"{"input": "a"}"#, headers: ["Content-Type": "text/plain"])
      #expect(plain.status == 415)
      for (bytes, status) in [
        ("GARBAGE\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nX: \(String(repeating: "a", count: 40000))\r\n\r\n", 400),
        ("POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        ("GET /health HTTP/1.1\r\nHost: localhost:1\r\n\r\n", 200),
      ] {
        #expect(try server.send(bytes).hasPrefix("HTTP/1.1 \(status) "), "\(bytes.prefix(40))")
      }
      #expect(try await server.ask("/health").status == 200)
      let second = try Program.run(["serve", "--checkpoint", "run/best", "--port", "\(server.port)"], in: folder)
      #expect(second.status == 1 && second.errorLine.contains("127.0.0.1:\(server.port): cannot be listened on"))
      #expect(server.end() == 0)
    }
  }

  @Test func aTokenKeepsStrangersOut() async throws {
    try await withTemporaryFolder { folder in
      try writeAtomically("secret-1\n", to: folder + "/token")
      try await withServer(["--token-file", folder + "/token"]) { server, inner in
        let body = #"{"input": "refund me"}"#
        for (header, status) in [(nil, 401), ("Bearer secret-2", 401), ("secret-1", 401), ("Bearer secret-1", 200)] {
          let headers = header.map { ["Authorization": $0] } ?? [:]
          #expect(try await server.ask("/v1/classify", body, headers: headers).status == status)
        }
        #expect(try await server.ask("/metrics").status == 401)
        #expect(try await server.ask("/health").status == 200)
        #expect(try await server.ask("/").status == 200)
        try writeAtomically("two words", to: folder + "/token")
        let outcome = try Program.run(
          ["serve", "--checkpoint", "run/best", "--token-file", folder + "/token"], in: inner)
        #expect(outcome.status == 65 && outcome.errorLine.contains("expected one token"))
        let nowhere = try Program.run(["serve", "--checkpoint", "run/best", "--host", "nowhere.invalid"], in: inner)
        #expect(nowhere.status == 1 && nowhere.errorLine.contains("nowhere.invalid:8080: cannot be listened on"))
      }
    }
  }

  /// A request that has begun is answered after SIGTERM, and a client that is slow does not keep the server.
  @Test func itDrains() async throws {
    try await withServer(["--timeout", "2"]) { server, _ in
      let text = WorkingExample(in: "").train[0].0
      let many = JSON.object([.init("input", .array((0..<200).map { .string("\(text) \($0)") }))]).compact
      // A body that does not come whole.
      let slow = try server.send(
        "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{}"
      )
      #expect(slow.hasPrefix("HTTP/1.1 408 "), "\(slow)")
      Thread.detachNewThread {
        _ = try? server.send(
          "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
        )
      }
      async let answer = server.ask("/v1/classify", many)
      // It has arrived when it waits, or has been answered.
      while try await server.ask("/metrics").text.firstMatch(of: #/cpt_waiting_texts [1-9]|status="200"} 1/#) == nil {}
      server.process.terminate()
      #expect(try await answer.status == 200)
      server.process.waitUntilExit()
      #expect(server.process.terminationStatus == 0)
    }
  }
}
