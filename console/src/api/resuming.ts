/**
 * Subscriptions that survive a lost socket: they wait, connect again and continue. If the results of a subscription
 * contain a `cursor`, it is subscribed again with the last one as `after`, so nothing is missed and nothing arrives twice.
 */

import type { ExecutionResult, GraphQLError, GraphQLFormattedError } from "graphql";
import type { Client as Socket } from "graphql-ws";
import type { SubscriptionForwarder } from "urql";

import { setStatus } from "./status";

const FIRST_PAUSE_MILLISECONDS = 500;
const LONGEST_PAUSE_MILLISECONDS = 15_000;
/** Close codes after which trying again with the same token is useless, and errors that are temporary: see docs/errors.md. */
const REFUSALS = [4401, 4403];
const PASSING = ["RATE_LIMITED", "SLOW_CLIENT", "TIMEOUT", "UNAVAILABLE"];

type Variables = Record<string, unknown>;
type Sink = Parameters<ReturnType<SubscriptionForwarder>["subscribe"]>[0];
type Request = Parameters<SubscriptionForwarder>[0];

export function resuming(socket: Socket, onRefused: () => void): SubscriptionForwarder {
  return (request) => ({
    subscribe(sink) {
      const stop = new AbortController();
      void follow(socket, request, sink, stop.signal, onRefused).finally(() => setStatus(stop.signal, null));
      return { unsubscribe: () => stop.abort() };
    },
  });
}

async function follow(socket: Socket, request: Request, sink: Sink, stop: AbortSignal, onRefused: () => void) {
  let variables: Variables = { ...request.variables };
  for (let failures = 0; !stop.aborted; failures++) {
    const results = socket.iterate<Variables>({ ...documentOf(request), variables });
    const leave = () => void results.return?.();
    stop.addEventListener("abort", leave);
    try {
      for await (const result of results) {
        if (isPassing(result.errors)) throw result.errors;
        failures = 0;
        setStatus(stop, { phase: "live" });
        variables = { ...variables, ...resumption(result) };
        sink.next(result as ExecutionResult);
      }
      if (variables.after === undefined) return sink.complete(); // a subscription with a cursor has no end: it continues on another socket
    } catch (error) {
      if (stop.aborted) return;
      if (isAnswer(error) && !isPassing(error)) return sink.error(error);
      if (isRefusal(error)) return onRefused();
    } finally {
      stop.removeEventListener("abort", leave);
    }
    await pause(failures, stop);
  }
}

/** The text of the document, or its hash beside an empty text, because graphql-ws sends nothing without a text. */
function documentOf({ query = "", documentId }: Request) {
  return { query, documentId };
}

/** The variables with which a subscription continues after this result. */
function resumption({ data }: { data?: Variables | null }): Variables {
  const cursors = Object.values(data ?? {}).map((it) => (it as { cursor?: string } | null)?.cursor);
  return cursors[0] === undefined ? {} : { after: cursors[0] };
}

/** Whether the API refused the operation itself. Otherwise the socket was lost. */
function isAnswer(error: unknown): error is readonly GraphQLError[] {
  return Array.isArray(error);
}

function isPassing(errors: readonly GraphQLFormattedError[] | undefined): boolean {
  return errors?.some((it) => PASSING.includes(String(it.extensions?.code))) ?? false;
}

function isRefusal(error: unknown): boolean {
  return error instanceof CloseEvent && REFUSALS.includes(error.code);
}

/** Waits longer after every failure. A random part keeps the clients of one server from returning all at once. */
function pause(failures: number, stop: AbortSignal): Promise<void> {
  const most = Math.min(FIRST_PAUSE_MILLISECONDS * 2 ** failures, LONGEST_PAUSE_MILLISECONDS);
  const milliseconds = most * (0.5 + Math.random() / 2);
  setStatus(stop, { phase: "away", retryAt: Date.now() + milliseconds });
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    stop.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
