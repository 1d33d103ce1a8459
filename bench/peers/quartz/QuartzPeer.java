import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.quartz.Job;
import org.quartz.JobBuilder;
import org.quartz.JobExecutionContext;
import org.quartz.Scheduler;
import org.quartz.impl.StdSchedulerFactory;

/**
 * Quartz with its job store in PostgreSQL. Each schedule is a cron trigger of one durable job, and Quartz itself arms a trigger that has fired
 * for the next day. It reads one command a line, and answers each with a line: reset DUE IDLE, go DUE, close.
 */
public final class QuartzPeer {
  static final Set<String> started = ConcurrentHashMap.newKeySet();
  static final AtomicInteger starts = new AtomicInteger();

  public static final class Fire implements Job {
    @Override
    public void execute(JobExecutionContext context) {
      started.add(context.getTrigger().getKey().getName());
      starts.incrementAndGet();
    }
  }

  private static final long DAY_MS = 86_400_000;
  private final String url;
  private final Properties settings = new Properties();
  private final long slotAt = System.currentTimeMillis() / 60_000 * 60_000;

  private QuartzPeer(String url) {
    this.url = url;
    String store = "org.quartz.jobStore.";
    String source = "org.quartz.dataSource.bench.";
    settings.setProperty("org.quartz.scheduler.instanceName", "bench");
    settings.setProperty("org.quartz.scheduler.skipUpdateCheck", "true");
    settings.setProperty("org.quartz.scheduler.batchTriggerAcquisitionMaxCount", "100");
    settings.setProperty("org.quartz.threadPool.threadCount", "20");
    settings.setProperty(store + "class", "org.quartz.impl.jdbcjobstore.JobStoreTX");
    settings.setProperty(store + "driverDelegateClass", "org.quartz.impl.jdbcjobstore.PostgreSQLDelegate");
    settings.setProperty(store + "acquireTriggersWithinLock", "true");
    settings.setProperty(store + "misfireThreshold", "3600000");
    settings.setProperty(store + "dataSource", "bench");
    settings.setProperty(source + "provider", "hikaricp");
    settings.setProperty(source + "driver", "org.postgresql.Driver");
    settings.setProperty(source + "URL", url);
    settings.setProperty(source + "maxConnections", "25");
  }

  public static void main(String[] given) throws Exception {
    QuartzPeer peer = new QuartzPeer(given[0]);
    try (Connection connection = DriverManager.getConnection(peer.url); Statement statement = connection.createStatement()) {
      try (InputStream tables = Scheduler.class.getResourceAsStream("/org/quartz/impl/jdbcjobstore/tables_postgres.sql")) {
        statement.execute(new String(tables.readAllBytes(), StandardCharsets.UTF_8));
      }
    }
    Scheduler scheduler = new StdSchedulerFactory(peer.settings).getScheduler();
    scheduler.addJob(JobBuilder.newJob(Fire.class).withIdentity("fire", "bench").storeDurably().build(), true);
    System.out.println("{}");
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      String[] words = line.split(" ");
      switch (words[0]) {
        case "reset" -> peer.reset(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
        case "go" -> {
          peer.go(scheduler, Integer.parseInt(words[1]));
          continue;
        }
        default -> {
          scheduler.shutdown();
          System.out.println("{}");
          System.exit(0);
        }
      }
      System.out.println("{}");
    }
    System.exit(0);
  }

  private void reset(int due, int idle) throws Exception {
    try (Connection connection = DriverManager.getConnection(url); Statement statement = connection.createStatement()) {
      statement.execute("delete from qrtz_fired_triggers");
      String fired = "select trigger_name from qrtz_triggers where next_fire_time <= " + (slotAt + DAY_MS);
      statement.execute("delete from qrtz_cron_triggers where trigger_name in (" + fired + ")");
      statement.execute("delete from qrtz_triggers where next_fire_time <= " + (slotAt + DAY_MS));
      int there = count(connection, "true");
      add(connection, "idle", there, idle - there, slotAt + 9 * DAY_MS);
      add(connection, "due", 0, due, slotAt);
      statement.execute("vacuum analyze");
      statement.execute("checkpoint");
    }
  }

  /** As Quartz writes them, but many at a time. */
  private void add(Connection connection, String kind, int from, int count, long at) throws Exception {
    long minute = at / 60_000 % 1_440;
    String cron = "0 " + minute % 60 + " " + minute / 60 + " * * ?";
    String named = "select '" + kind + "-' || n as name from generate_series(" + from + ", " + (from + count - 1) + ") n";
    try (Statement statement = connection.createStatement()) {
      statement.execute("insert into qrtz_triggers (sched_name, trigger_name, trigger_group, job_name, job_group, next_fire_time, prev_fire_time,"
          + " priority, trigger_state, trigger_type, start_time, end_time, misfire_instr)"
          + " select 'bench', name, 'bench', 'fire', 'bench', " + at + ", -1, 5, 'WAITING', 'CRON', " + (slotAt - 20 * DAY_MS) + ", 0, 0 from (" + named + ") named");
      // Without statistics each check of a foreign key would read the whole table.
      statement.execute("analyze qrtz_triggers");
      statement.execute("insert into qrtz_cron_triggers (sched_name, trigger_name, trigger_group, cron_expression, time_zone_id)"
          + " select 'bench', name, 'bench', '" + cron + "', 'UTC' from (" + named + ") named");
    }
  }

  private void go(Scheduler scheduler, int due) throws Exception {
    started.clear();
    starts.set(0);
    try (Connection connection = DriverManager.getConnection(url)) {
      long begunAt = System.nanoTime();
      scheduler.start();
      String armed = "next_fire_time = " + (slotAt + DAY_MS) + " and trigger_state = 'WAITING'";
      while (starts.get() < due) Thread.sleep(2);
      double ms = (System.nanoTime() - begunAt) / 1e6;
      scheduler.standby();
      for (int tries = 0; tries < 500 && firing(connection) > 0; tries += 1) Thread.sleep(10);
      System.out.println("{\"ms\":" + ms + ",\"starts\":" + starts.get() + ",\"distinct\":" + started.size()
          + ",\"armed\":" + count(connection, armed) + "}");
    }
  }

  private static int count(Connection connection, String where) throws Exception {
    return number(connection, "select count(*) from qrtz_triggers where " + where);
  }

  private static int firing(Connection connection) throws Exception {
    return number(connection, "select count(*) from qrtz_fired_triggers");
  }

  private static int number(Connection connection, String query) throws Exception {
    try (PreparedStatement statement = connection.prepareStatement(query); ResultSet rows = statement.executeQuery()) {
      rows.next();
      return rows.getInt(1);
    }
  }
}
