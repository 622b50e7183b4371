import type { SubscriberOrder } from "../gql/graphql";
import { SearchedList } from "../lists/SearchedList";
import { NEW_PERSON } from "../paths";
import { PeoplePage } from "./PeoplePage";
import "./people.css";

const ORDERS: Record<SubscriberOrder, string> = {
  CREATED_DESC: "The latest first",
  CREATED_ASC: "The earliest first",
  EMAIL_ASC: "By email",
};

/** The people of the workspace, with a search and an order. */
export function PeopleList() {
  return (
    <SearchedList
      title="People"
      add={{ label: "Add a person", address: NEW_PERSON }}
      searched="Name, email, phone, id or place"
      orders={ORDERS}
      usual={"CREATED_DESC" as SubscriberOrder}
    >
      {(search, order) => <PeoplePage search={search} order={order} />}
    </SearchedList>
  );
}
