// What every screen does in the browser. Without it all pages work too.
import { choose } from "./choose.js";
import { keys } from "./keys.js";
import { live } from "./live.js";
import { localTimes } from "./times.js";

localTimes(document);
live();
keys();
choose();
