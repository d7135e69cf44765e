// Words that belong together light up: under the pointer, at a touch, with the keyboard.
(() => {
  const wordAt = (element) => element?.closest?.(".word");

  function light(word) {
    document.querySelectorAll(".lit").forEach((lit) => lit.classList.remove("lit"));
    if (!word) return;
    word.classList.add("lit");
    const lines = [...word.closest(".words").querySelectorAll("[role=toolbar]")];
    const other = lines.find((line) => !line.contains(word));
    for (const number of word.dataset.partners.split(" ").filter(Boolean)) {
      other.children[number].classList.add("lit");
    }
  }

  // Arrow keys go from word to word of a line, and from choice to choice.
  function step(event) {
    const word = wordAt(event.target);
    const isChoice = event.target.type === "radio";
    if (!word && !isChoice) return;
    const choices = event.target.closest("fieldset")?.querySelectorAll("input");
    const all = word ? [...word.parentElement.children] : [...choices];
    const forth = getComputedStyle(event.target).direction === "rtl" ? -1 : 1;
    const place = all.indexOf(event.target);
    const places = {
      ArrowLeft: place - forth,
      ArrowRight: place + forth,
      ArrowUp: place - 1,
      ArrowDown: place + 1,
      Home: 0,
      End: all.length - 1,
    };
    const next = all[places[event.key]];
    if (!next) return;
    event.preventDefault();
    next.focus();
    if (isChoice) {
      next.click();
    } else {
      word.tabIndex = -1;
      next.tabIndex = 0;
    }
  }

  const listen = document.addEventListener.bind(document);
  listen("pointerover", ({ target }) =>
    light(wordAt(target) || wordAt(document.activeElement)),
  );
  listen("focusin", ({ target }) => {
    light(wordAt(target));
    const group = target.closest("fieldset");
    const name = group?.querySelector("[data-testid=block-info]").textContent;
    group?.setAttribute("aria-label", name); // Gradio gives it none
  });
  listen("focusout", () => light(null));
  listen("keydown", step);
})();
