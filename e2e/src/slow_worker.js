// Runs before the scripts of a page: the workers' word that a part is done comes late by LATE_MS, which is set
// where this is read.
"use strict";

{
  const add = Worker.prototype.addEventListener;
  Worker.prototype.addEventListener = function (type, listener, ...options) {
    const late = (event) => {
      if (event.data?.event === "flush") {
        setTimeout(() => listener.call(this, event), LATE_MS);
      } else {
        listener.call(this, event);
      }
    };
    add.call(this, type, type === "message" ? late : listener, ...options);
  };
}
