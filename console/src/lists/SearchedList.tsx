import { useEffect, useRef, type ReactNode } from "react";

import { choose, useChoices } from "../paths";
import { useTyped } from "./useTyped";

type SearchedListProps<Order extends string> = {
  title: string;
  /** The link to the form for a new entry. */
  add: { label: string; address: string };
  /** What the search field says before somebody types. */
  searched: string;
  orders: Record<Order, string>;
  usual: Order;
  /** The entries that the search finds. */
  children: (search: string, order: Order) => ReactNode;
};

/** A list with a search and an order that the address holds, so that both can be shared. */
export function SearchedList<Order extends string>(props: SearchedListProps<Order>) {
  const { title, add, searched, orders, usual, children } = props;
  const params = useChoices();
  const search = params.get("search") ?? "";
  const order = orderOf(params.get("order"));
  const [typed, setTyped] = useTyped(search, (text) => choose(choicesOf(text, order)));
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  function orderOf(text: string | null): Order {
    return text !== null && text in orders ? (text as Order) : usual;
  }

  /** Only what differs from a plain list is in the address. */
  function choicesOf(text: string, chosen: Order): URLSearchParams {
    const choices = new URLSearchParams();
    if (text.trim() !== "") choices.set("search", text.trim());
    if (chosen !== usual) choices.set("order", chosen);
    return choices;
  }

  return (
    <>
      <header className="titled">
        <h2>{title}</h2>
        <a className="button" href={add.address}>
          {add.label}
        </a>
      </header>
      <form role="search" className="find" onSubmit={(event) => event.preventDefault()}>
        <input
          ref={field}
          type="search"
          aria-label={`Search ${title.toLowerCase()}`}
          placeholder={searched}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <select
          aria-label="Order"
          value={order}
          onChange={(event) => choose(choicesOf(search, orderOf(event.target.value)))}
        >
          {Object.entries<string>(orders).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </form>
      {children(search, order)}
    </>
  );
}
