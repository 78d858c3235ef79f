"""What arm64.sh puts around a function: `arm64.py runtime`, a Lambda Runtime API that curl invokes it through, and
`arm64.py tls ENDPOINT CERTIFICATE`, which takes TLS connections and passes them on to a store without TLS.

Each prints its address, and runs until it is ended.
"""

import asyncio
import queue
import ssl
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# As in Lambda's own emulator.
INVOKE = "/2015-03-31/functions/function/invocations"
events, answers = queue.Queue(), queue.Queue()


class Runtime(BaseHTTPRequestHandler):
    """The next event, its answer, its error; and the request that invokes the function and waits for its answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.respond(
            200,
            events.get(),
            {
                "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
                "Lambda-Runtime-Deadline-Ms": "4102444800000",
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:test",
            },
        )

    def do_POST(self):
        # The function sends its answers in chunks.
        body = self.chunks() if "Transfer-Encoding" in self.headers else self.read(self.headers["Content-Length"])
        if self.path == INVOKE:
            events.put(body)
            self.respond(*answers.get(timeout=60))
        else:
            answers.put((200 if self.path.endswith("/response") else 502, body))
            self.respond(202, b"")

    def read(self, length):
        return self.rfile.read(int(length or 0))

    def chunks(self):
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.read(length)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def respond(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def runtime():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Runtime)
    print(f"127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def tls(endpoint, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    target = urlsplit(endpoint)

    async def accepted(*client):
        print("handshake", client[1].get_extra_info("cipher")[0], flush=True)
        store = await asyncio.open_connection(target.hostname, target.port)
        await asyncio.gather(copy(client[0], store[1]), copy(store[0], client[1]))

    async def serve():
        server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=context)
        print(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()

    asyncio.run(serve())


async def copy(source, target):
    while part := await source.read(65536):
        target.write(part)
        await target.drain()
    target.close()


if __name__ == "__main__":
    {"runtime": runtime, "tls": tls}[sys.argv[1]](*sys.argv[2:])
