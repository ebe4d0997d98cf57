"""Tornado, as its documentation shows it, in one process."""

import asyncio
import sys

import tornado.web


class PlaintextHandler(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.write("Hello, World!")


class JsonHandler(tornado.web.RequestHandler):
    def get(self):
        self.write({"message": "Hello, World!"})


class EchoHandler(tornado.web.RequestHandler):
    def post(self):
        self.set_header("Content-Type", "application/octet-stream")
        self.write(self.request.body)


class PostHandler(tornado.web.RequestHandler):
    def get(self, user, post):
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.write(f"post {int(post)} of user {int(user)}\n")


async def main():
    app = tornado.web.Application(
        [
            (r"/plaintext", PlaintextHandler),
            (r"/json", JsonHandler),
            (r"/echo", EchoHandler),
            (r"/user/(\d+)/posts/(\d+)", PostHandler),
        ],
        log_function=lambda handler: None,
    )
    app.listen(int(sys.argv[1]), backlog=4096)
    await asyncio.Event().wait()


asyncio.run(main())
