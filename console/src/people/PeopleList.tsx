import { useEffect, useRef, useState } from "react";

import type { SubscriberOrder } from "../gql/graphql";
import { choose, NEW_PERSON, useChoices } from "../paths";
import { PeoplePage } from "./PeoplePage";
import "./people.css";

const PAUSE_MILLISECONDS = 250;

const ORDERS: Record<SubscriberOrder, string> = {
  CREATED_DESC: "The latest first",
  CREATED_ASC: "The earliest first",
  EMAIL_ASC: "By email",
};
const DEFAULT: SubscriberOrder = "CREATED_DESC" as SubscriberOrder;

/** The people of the workspace, with a search and an order that the address holds, so that both can be shared. */
export function PeopleList() {
  const params = useChoices();
  const search = params.get("search") ?? "";
  const order = orderOf(params.get("order"));
  const [typed, setTyped] = useTyped(search, (text) => choose(choicesOf(text, order)));
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  return (
    <>
      <header className="titled">
        <h2>People</h2>
        <a className="button" href={NEW_PERSON}>
          Add a person
        </a>
      </header>
      <form role="search" className="find" onSubmit={(event) => event.preventDefault()}>
        <input
          ref={field}
          type="search"
          aria-label="Search people"
          placeholder="Name, email, phone, id or place"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <select
          aria-label="Order"
          value={order}
          onChange={(event) => choose(choicesOf(search, orderOf(event.target.value)))}
        >
          {Object.entries(ORDERS).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </form>
      <PeoplePage search={search} order={order} />
    </>
  );
}

function orderOf(text: string | null): SubscriberOrder {
  return text !== null && text in ORDERS ? (text as SubscriberOrder) : DEFAULT;
}

/** Only what differs from a plain list is in the address. */
function choicesOf(search: string, order: SubscriberOrder): URLSearchParams {
  const params = new URLSearchParams();
  if (search.trim() !== "") params.set("search", search.trim());
  if (order !== DEFAULT) params.set("order", order);
  return params;
}

/** The text of the field. `onPause` gets it when the visitor stops typing. Another address replaces it. */
function useTyped(search: string, onPause: (text: string) => void) {
  const [typed, setTyped] = useState(search);
  const sent = useRef(search);
  const tell = useRef(onPause);
  tell.current = onPause;

  useEffect(() => {
    if (search !== sent.current) setTyped(search); // by a link or the back button
    sent.current = search;
  }, [search]);
  useEffect(() => {
    if (typed.trim() === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = typed.trim();
      tell.current(typed);
    }, PAUSE_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [typed]);
  return [typed, setTyped] as const;
}
