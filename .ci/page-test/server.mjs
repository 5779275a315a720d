// The application as a process of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

const PATIENCE_MS = 30_000;

export class Server {
  #child; #output = ''; #errors = ''; #exit;
  url = '';

  constructor(program, options) {
    this.#child = spawn(program, options, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout.on('data', (text) => { this.#output += text; });
    this.#child.stderr.on('data', (text) => { this.#errors += text; });
    this.#exit = once(this.#child, 'close').then(([status]) => status);
  }

  /** Starts the application and waits for its address. */
  static async start(program, options) {
    const server = new Server(program, options);
    const end = Date.now() + PATIENCE_MS;
    while (!server.url) {
      if (Date.now() > end || server.#child.exitCode !== null) {
        server.kill();
        throw new Error(`no address: ${server.#output}${server.#errors}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      server.url = server.#output.match(/http:\/\/\S+/)?.[0] ?? '';
    }
    return server;
  }

  /** Starts the application where it cannot: its status and what it said of that. */
  static async fail(program, options) {
    const server = new Server(program, options);
    return { status: await server.#exit, errors: server.#errors };
  }

  /** Ctrl-C: the status, and all that was printed. */
  async interrupt() {
    this.#child.kill('SIGINT');
    return { status: await this.#exit, output: this.#output };
  }

  kill() {
    this.#child.kill('SIGKILL');
  }
}
