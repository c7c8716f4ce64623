import ContextTuning
import Diagnostics
import FileFormats
import HTTPTypes
import HummingbirdCore
import NIOCore

/// A request that is answered with an error.
struct RequestError: Error {
  let status: HTTPResponse.Status
  let message: String
  var headers = HTTPFields()

  init(_ status: HTTPResponse.Status, _ message: String, headers: HTTPFields = HTTPFields()) {
    self.status = status
    self.message = message
    self.headers = headers
  }
}

/// What a request is answered with.
struct Answer {
  var status = HTTPResponse.Status.ok
  var headers: HTTPFields
  var body: String
  var hasBody = true

  init(_ body: String, type: String, headers: HTTPFields = HTTPFields()) {
    self.body = body
    self.headers = headers
    self.headers[.contentType] = type
  }

  init(_ json: JSON) { self.init(json.compact + "\n", type: "application/json") }

  /// An error, in the form that other servers of language models use.
  init(_ error: any Error) {
    let error = Self.requestError(error)
    self.init(
      .object([
        .init(
          "error",
          .object([.init("message", .string(messageLine(error.message))), .init("code", .integer(error.status.code))]))
      ]))
    status = error.status
    for field in error.headers { headers[field.name] = field.value }
  }

  private static func requestError(_ error: any Error) -> RequestError {
    switch error {
    case let error as RequestError: return error
    case let error as InputError: return RequestError(.badRequest, error.description)
    case let error as ContextTuningError:
      switch error.kind {
      case .input, .missingFile: return RequestError(.badRequest, error.description)
      case .busy: return RequestError(.tooManyRequests, error.description, headers: [.retryAfter: "1"])
      case .late: return RequestError(.serviceUnavailable, error.description, headers: [.retryAfter: "1"])
      case .failure: return RequestError(.internalServerError, error.description)
      }
    default: return RequestError(.internalServerError, "\(error)")
    }
  }

  var response: Response {
    var headers = headers
    headers[.contentLength] = String(body.utf8.count)
    headers[.cacheControl] = "no-store"
    headers[.xContentTypeOptions] = "nosniff"
    return Response(
      status: status, headers: headers,
      body: hasBody ? ResponseBody(byteBuffer: ByteBuffer(string: body)) : ResponseBody())
  }
}
