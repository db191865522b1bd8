package launcher;

import java.nio.file.Path;
import java.nio.file.Files;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** A single Elasticsearch node in this process, until it is told to stop. */
public class NodeLauncher {
    public static void main(String[] a) throws Exception {
        long t0 = System.currentTimeMillis();
        Path home = Path.of(System.getProperty("es.path.home"));
        Path conf = Path.of(System.getProperty("es.path.conf", home.resolve("config").toString()));
        LogConfigurator.registerErrorListener();
        LogConfigurator.configureESLogging();
        Settings base = Settings.builder().put("path.home", home.toString()).build();
        Environment env = InternalSettingsPreparer.prepareEnvironment(base, Map.of(), conf, () -> "esnode");
        LogConfigurator.setNodeName("esnode");
        LogConfigurator.configure(env, true);
        PluginsLoader pl = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(env.modulesDir(), false),
            PluginsLoader.loadPluginsBundles(env.pluginsDir(), false),
            Map.of());
        Node node = new Node(env, pl);
        CountDownLatch done = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try { node.prepareForClose(); node.close(); } catch (Exception e) { e.printStackTrace(); } finally { done.countDown(); }
        }));
        node.start();
        System.out.println("READY in " + (System.currentTimeMillis() - t0) + " ms after main");
        done.await();
    }
}
