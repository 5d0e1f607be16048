// @ts-check
/// <reference lib="dom" />
/**
 * Wires the hub page: one token for all parts, and what the stream brings goes to the log.
 *
 * @module
 */

import { enableCopying, setText } from "./dom.js";
import { find } from "../logger/dom.js";
import { PublishView } from "./publish_view.js";
import { SubscribeView } from "./subscribe_view.js";
import { SubscriptionsView } from "./subscriptions_view.js";
import { TokenView } from "./token_view.js";
import { UpdatesView } from "./updates_view.js";

const hubUrl = new URL(find("meta[name=hub-url]", HTMLMetaElement).content, document.baseURI);
setText(find("[data-hub-url]", HTMLElement), hubUrl.href);

const updates = new UpdatesView();
const token = new TokenView(hubUrl);
const readToken = () => token.value;
const subscribe = new SubscribeView({
  hubUrl,
  readToken,
  onEvent: (event) => updates.add(event),
  onGap: (reason) => updates.addGap(reason),
  onState: ({ name }) => updates.noteState(name === "open"),
});
token.onChange = () => subscribe.refresh();
new PublishView({ hubUrl, readToken });
new SubscriptionsView({ hubUrl, readToken });
enableCopying();
