// What every peer here does alike: serve on a free port, and make sessions when asked to.
//
// The port is told on standard output. Each line of standard input is a number of sessions to make;
// it is answered with a line of what their holders would show. The end of input ends the process.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const AT_ONCE = 50;

export async function stand(handler, begin) {
  const server = createServer(handler);
  server.keepAliveTimeout = 0;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  tell({ port: server.address().port });
  for await (const line of createInterface({ input: process.stdin })) {
    const made = [];
    while (made.length < Number(line)) {
      const some = Math.min(AT_ONCE, Number(line) - made.length);
      made.push(...(await Promise.all(Array.from({ length: some }, begin))));
    }
    tell(made);
  }
  process.exit(0);
}

function tell(something) {
  process.stdout.write(`${JSON.stringify(something)}\n`);
}
