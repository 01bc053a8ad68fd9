// Opens Dagster's pages in chromium, materialises all assets by one click, waits for the run and looks at the result.
//   node materialize.mjs CHROMIUM DAGSTER_ADDRESS MLFLOW_ADDRESS FOLDER_FOR_PICTURES ASSET
// Prints one line of JSON.
import { chromium } from 'playwright-core';

const [, , executablePath, dagster, mlflow, folder, asset] = process.argv;
const args = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];
const DONE = ['SUCCESS', 'FAILURE', 'CANCELED'];

async function graphql(query) {
  const response = await fetch(`${dagster}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  return (await response.json()).data;
}

async function finishedRun() {
  for (;;) {
    const data = await graphql(
      '{ runsOrError(limit: 1) { ... on Runs { results { runId status tags { key value } } } } }',
    );
    const run = data.runsOrError.results[0];
    if (run && DONE.includes(run.status)) return run;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const browser = await chromium.launch({ executablePath, args });
try {
  const page = await browser.newPage({ viewport: { width: 1500, height: 950 } });
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));

  await page.goto(`${dagster}/asset-groups/`, { waitUntil: 'domcontentloaded' });
  const button = page.locator('button:has-text("Materialize all")');
  await button.waitFor({ timeout: 120000 });
  const label = await button.innerText();
  const start = Date.now();
  await button.click();
  const run = await finishedRun();
  const seconds = (Date.now() - start) / 1000;

  await page.goto(`${dagster}/runs/${run.runId}`);
  await page.locator('text=RUN_SUCCESS').or(page.locator('text=RUN_FAILURE')).first().waitFor({ timeout: 60000 });
  await page.screenshot({ path: `${folder}/run.png` });

  await page.goto(`${dagster}/assets/${asset}?view=checks`);
  await page.locator('text=set_aside').first().waitFor({ timeout: 60000 });
  await page.locator('text=set_aside').first().click();
  await page.waitForTimeout(2000);
  await page.screenshot({ path: `${folder}/check.png` });
  const check = await page.locator('body').innerText();

  await page.goto(`${dagster}/assets/scan/${asset}?view=partitions`);
  await page.locator('text=Materialized').first().waitFor({ timeout: 60000 });
  await page.waitForTimeout(2000);
  await page.screenshot({ path: `${folder}/partitions.png` });
  const partitions = await page.locator('body').innerText();

  await page.goto(`${mlflow}/#/experiments`, { waitUntil: 'domcontentloaded' });
  await page.waitForTimeout(4000);
  await page.screenshot({ path: `${folder}/mlflow.png` });
  const title = await page.title();

  const tags = Object.fromEntries(run.tags.map(({ key, value }) => [key, value]));
  console.log(JSON.stringify({ label, status: run.status, tags, seconds, errors, check, partitions, title }));
} finally {
  await browser.close();
}
