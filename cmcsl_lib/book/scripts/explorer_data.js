/* What the data of the explorer say, as `cmcsl_lib/book/explorer.py` writes them: accuracies, and labels of items. */
"use strict";
window.cmcslExplorerData = (() => {
  const { mean } = cmcslElements;
  const { unpacked, summed } = cmcslPacking;
  const MODALITIES = ["visual", "text"];
  const MISSING = 65535;

  /** The budget to begin with: 5, or the first one where that was not run. */
  const firstBudget = (budgets) => (budgets.includes(5) ? 5 : budgets[0]);

  // Scores ---------------------------------------------------------------------------------------------------------

  /** Read the values of a source; its `values` of a curve are then lists by fold, of accuracies by budget.
   * @returns {Promise<object>} */
  async function readSource(source, parts) {
    const { budgets, classifiers, curves, levels, datasets, folds } = source;
    const [ofCurves, ofLevels] = await Promise.all([summed(source.curve_values), summed(source.level_values)]);

    function lookUp(all, lines, steps, dataset, classifier, line) {
      const start = ((datasets.indexOf(dataset) * classifiers.length + classifiers.indexOf(classifier)) * lines.length + line) * folds;
      return Array.from({ length: folds }, (_, fold) => Array.from({ length: steps }, (__, step) => {
        const value = all[(start + fold) * steps + step];
        return value === MISSING ? NaN : value / parts;
      }));
    }

    function ofDataset(dataset, classifier, modality, method) {
      const among = (lines) => lines.findIndex((line) => line[0] === modality && line[1] === method);
      const [curve, level] = [among(curves), among(levels)];
      if (curve >= 0) return { level: false, folds: lookUp(ofCurves, curves, budgets.length, dataset, classifier, curve) };
      if (level >= 0) return { level: true, folds: lookUp(ofLevels, levels, 1, dataset, classifier, level) };
      return null;
    }

    /** Accuracies of a dataset, or the mean over those of a group; FULL, EF and LF have one for all budgets. */
    function values(name, classifier, modality, method) {
      const each = (source.groups[name] ?? [name]).map((dataset) => ofDataset(dataset, classifier, modality, method))
        .filter((line) => line && !line.folds.flat().some(Number.isNaN));
      if (!each.length) return null;
      const list = each[0].folds.map((steps, fold) => steps.map((_, step) => mean(each.map((line) => line.folds[fold][step]))));
      return { level: each[0].level, folds: list.map((steps) => budgets.map((_, i) => steps[Math.min(i, steps.length - 1)])) };
    }

    return { ...source, names: [...Object.keys(source.groups), ...datasets], values };
  }

  // Items ----------------------------------------------------------------------------------------------------------

  /** Read the labels of a dataset; `labelled(fold, budget)` gives one row per hidden item of that training half.
   * @returns {Promise<object>} */
  async function readDataset(dataset, decimals) {
    const { classes } = dataset;
    const [items, truth, training, seedRows, since, lengths, places, late, distances] = await Promise.all([
      summed(dataset.items), unpacked(dataset.true), unpacked(dataset.training), unpacked(dataset.seeds.rows),
      unpacked(dataset.seeds.since), unpacked(dataset.lengths), unpacked(dataset.places), unpacked(dataset.late),
      summed(dataset.distances),
    ]);
    const near = new Set(dataset.near.map(String));

    /* Of each fold: rows of the half, and for each modality and row its changes {budget, seed, distance}. */
    let [seed, row, change] = [0, 0, 0];
    const folds = dataset.seeds.numbers.map((number, fold) => {
      const rows = [...truth.keys()].filter((each) => training[fold * truth.length + each]);
      const changes = MODALITIES.map(() => rows.map(() => {
        const list = Array.from({ length: lengths[row] }, (_, i) => {
          const at = seed + places[change + i];
          return { budget: since[at] + late[change + i], seed: seedRows[at], distance: distances[change + i] };
        });
        change += lengths[row];
        row += 1;
        return list;
      }));
      seed += number;
      return { rows, changes };
    });

    /** @param {number} budget  its place among the budgets */
    function labelled(fold, budget) {
      const { rows, changes } = folds[fold];
      return rows.map((own, i) => {
        const joined = changes.map((lists) => lists[i].findLast((each) => each.budget <= budget));
        if (joined[0].seed === own) return null; // a seed
        const closer = joined[1].distance < joined[0].distance || near.has(`${fold},${i},${budget}`) ? 1 : 0;
        const labels = joined.map((each) => classes[truth[each.seed]]);
        const [label, right] = [labels[closer], truth[joined[closer].seed] === truth[own]];
        const item = { number: items[own], true: classes[truth[own]], label, decided: closer, right };
        MODALITIES.forEach((modality, m) => {
          item[modality] = {
            label: labels[m], distance: joined[m].distance / 10 ** decimals, seed: items[joined[m].seed],
            right: truth[joined[m].seed] === truth[own],
          };
        });
        // By classes' numbers: two classes could be given one name.
        item.outcome = truth[joined[0].seed] === truth[joined[1].seed] ? 0 : right ? 1 : 2;
        return item;
      }).filter(Boolean);
    }

    return { folds: folds.length, labelled };
  }

  /** Of labelled rows, how many are right by each modality and after the exchange, and who decides where they differ. */
  function totals(rows) {
    const right = (list) => list.filter((row) => row.right).length;
    const decides = [0, 1].map((m) => rows.filter((row) => row.outcome > 0 && row.decided === m));
    return {
      hidden: rows.length, right: right(rows), alone: MODALITIES.map((name) => right(rows.map((row) => row[name]))),
      differing: rows.filter((row) => row.outcome > 0).length,
      decides: decides.map((list) => list.length), decidesRight: decides.map(right),
    };
  }

  return { MODALITIES, firstBudget, readSource, readDataset, totals };
})();
